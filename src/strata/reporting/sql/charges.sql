-- What is charged: usage of one day, summed for each payer, model and currency.
select
    day,
    department,
    person,
    assistant,
    model,
    provider,
    operation,
    currency,
    count(*) as requests,
    sum(prompt_tokens) as prompt_tokens,
    sum(completion_tokens) as completion_tokens,
    sum(cost_micros) as cost_micros
from (
    select distinct
        id, day, department, person, assistant, model, provider, operation, currency,
        prompt_tokens, completion_tokens, cost_micros
    from usage
    where tenant = $tenant and day >= $since and day <= $till and ($department = '' or department = $department)
) as calls
group by day, department, person, assistant, model, provider, operation, currency
order by day, department, person, assistant, model, provider, operation, currency
