-- Requests and cost of each day (UTC) that had any.
select
    day,
    count(*) as requests,
    sum(case when currency = $currency then cost_micros else 0 end) as cost_micros
from (
    select distinct id, day, cost_micros, currency
    from usage
    where tenant = $tenant and day >= $since and day <= $till and ($department = '' or department = $department)
) as calls
group by day
order by day
