-- The average sentiment (-1 to 1) of each product category, the best liked first.
SELECT product_category, AVG(CAST(sentiment AS DOUBLE)) AS average_sentiment
FROM reviews
GROUP BY product_category
ORDER BY average_sentiment DESC, product_category
