-- How many reviews of each sentiment there are.
SELECT sentiment, COUNT(*) AS reviews
FROM reviews
GROUP BY sentiment
ORDER BY sentiment
