-- How many reviews have how many words.
SELECT words, COUNT(*) AS reviews
FROM (SELECT CARDINALITY(SPLIT(review_body, ' ')) AS words FROM reviews)
GROUP BY words
ORDER BY words
