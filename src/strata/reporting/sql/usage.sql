-- Usage under each key of one dimension. A row may be stored twice after a crash: identical rows count once.
select
    case $by
        when 'department' then department
        when 'person' then person
        when 'assistant' then assistant
        else model
    end as name,
    count(*) as requests,
    sum(prompt_tokens) as prompt_tokens,
    sum(completion_tokens) as completion_tokens,
    sum(case when currency = $currency then cost_micros else 0 end) as cost_micros
from (
    select distinct id, department, person, assistant, model, prompt_tokens, completion_tokens, cost_micros, currency
    from usage
    where tenant = $tenant and day >= $since and day <= $till and ($department = '' or department = $department)
) as calls
group by 1
order by 5 desc, 2 desc, 1
