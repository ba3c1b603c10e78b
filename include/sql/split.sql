-- Each product category's reviews by sentiment: how many, and what share of the category.
SELECT
    product_category,
    sentiment,
    COUNT(*) AS reviews,
    100.0 * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY product_category) AS percentage
FROM reviews
GROUP BY product_category, sentiment
ORDER BY product_category, sentiment
