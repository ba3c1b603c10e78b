-- How many reviews each product category has, the largest first.
SELECT product_category, COUNT(*) AS reviews
FROM reviews
GROUP BY product_category
ORDER BY reviews DESC, product_category
