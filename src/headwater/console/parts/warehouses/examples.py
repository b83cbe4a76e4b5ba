"""Queries to start from. They run on `events`, which every house has."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, str]] = {
    "Events per day": """\
SELECT date_trunc('day', received_at) AS day, count(*) AS events
FROM events
GROUP BY ALL
ORDER BY day""",
    "Events per minute, last hour": """\
SELECT date_trunc('minute', received_at) AS minute, type, count(*) AS events
FROM events
WHERE received_at > now()::TIMESTAMP - INTERVAL 1 HOUR
GROUP BY ALL
ORDER BY minute""",
    "Most frequent events": """\
SELECT coalesce(event, name, type) AS event, type, count(*) AS events, count(DISTINCT user_id) AS users
FROM events
GROUP BY ALL
ORDER BY events DESC
LIMIT 50""",
    "Top pages": """\
SELECT body->>'$.properties.path' AS path, count(*) AS views, count(DISTINCT coalesce(user_id, anonymous_id)) AS people
FROM events
WHERE type = 'page'
GROUP BY ALL
ORDER BY views DESC
LIMIT 50""",
    "Funnel": """\
WITH steps AS (
  SELECT
    coalesce(user_id, anonymous_id) AS person,
    min(received_at) FILTER (event = 'Product Viewed') AS viewed,
    min(received_at) FILTER (event = 'Order Completed') AS ordered
  FROM events
  GROUP BY ALL
)
SELECT 'Product Viewed' AS step, count(viewed) AS people FROM steps
UNION ALL
SELECT 'Order Completed', count(*) FROM steps WHERE ordered >= viewed""",
    "Revenue per day": """\
SELECT date_trunc('day', received_at) AS day, sum((body->>'$.properties.revenue')::DOUBLE) AS revenue
FROM events
WHERE event = 'Order Completed'
GROUP BY ALL
ORDER BY day""",
    "One person's events": """\
SELECT received_at, type, coalesce(event, name) AS event, body
FROM events
WHERE user_id = 'ada'
ORDER BY received_at DESC
LIMIT 100""",
    "New and returning people per day": """\
WITH firsts AS (
  SELECT coalesce(user_id, anonymous_id) AS person, min(date_trunc('day', received_at)) AS first_day
  FROM events
  GROUP BY ALL
)
SELECT date_trunc('day', received_at) AS day,
  count(DISTINCT person) FILTER (first_day = date_trunc('day', received_at)) AS new_people,
  count(DISTINCT person) FILTER (first_day < date_trunc('day', received_at)) AS returning_people
FROM events JOIN firsts ON person = coalesce(user_id, anonymous_id)
GROUP BY ALL
ORDER BY day""",
}
