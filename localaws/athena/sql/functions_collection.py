# ruff: noqa: E501 - a signature, or a macro, reads best on its line.
"""Arrays and maps. ``{1[a,b]}`` is the body of the lambda that is argument 1, with ``a`` and ``b`` for its parameters."""

ARRAY = """
cardinality(array(T)) -> bigint = len({0})
cardinality(map(K, V)) -> bigint = CAST(cardinality({0}) AS BIGINT)
element_at(array(T), bigint) -> T = list_extract({0}, {1})
element_at(map(K, V), K) -> V = map_extract_value({0}, {1})
contains(array(T), T) -> boolean = t_contains({0}, {1})
reverse(array(T)) -> array(T) = list_reverse({0})
array_distinct(array(T)) -> array(T) = t_distinct({0})
array_intersect(array(T), array(T)) -> array(T) = list_filter(t_distinct({0}), lambda {e}: list_contains({1}, {e}))
array_union(array(T), array(T)) -> array(T) = t_distinct(list_concat({0}, {1}))
array_except(array(T), array(T)) -> array(T) = list_filter(t_distinct({0}), lambda {e}: NOT list_contains({1}, {e}))
arrays_overlap(array(T), array(T)) -> boolean = list_has_any({0}, {1})
array_max(array(T)) -> T = CASE WHEN len({0}) = list_count({0}) THEN list_max({0}) END
array_min(array(T)) -> T = CASE WHEN len({0}) = list_count({0}) THEN list_min({0}) END
array_position(array(T), T) -> bigint = CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL ELSE CAST(coalesce(list_position({0}, {1}), 0) AS BIGINT) END
array_remove(array(T), T) -> array(T) = list_filter({0}, lambda {e}: {e} IS DISTINCT FROM {1})
array_sort(array(T)) -> array(T) = list_sort({0}, 'ASC', 'NULLS LAST')
slice(array(T), bigint, bigint) -> array(T) = t_slice({0}, {1}, {2})
repeat(T, bigint) -> array(T) = list_transform(range({1}), lambda {e}: {0})
flatten(array(array(T))) -> array(T) = flatten({0})
trim_array(array(T), bigint) -> array(T) = list_slice({0}, 1, len({0}) - {1})
sequence(bigint, bigint) -> array(bigint) = generate_series({0}, {1}, CASE WHEN {0} <= {1} THEN 1 ELSE -1 END)
sequence(bigint, bigint, bigint) -> array(bigint) = generate_series({0}, {1}, {2})
sequence(date, date) -> array(date) = list_transform(generate_series(CAST({0} AS TIMESTAMP), CAST({1} AS TIMESTAMP), CASE WHEN {0} <= {1} THEN to_days(1) ELSE to_days(-1) END), lambda {e}: CAST({e} AS DATE))
sequence(date, date, interval day to second) -> array(date) = list_transform(generate_series(CAST({0} AS TIMESTAMP), CAST({1} AS TIMESTAMP), {2}), lambda {e}: CAST({e} AS DATE))
sequence(date, date, interval year to month) -> array(date) = list_transform(generate_series(CAST({0} AS TIMESTAMP), CAST({1} AS TIMESTAMP), {2}), lambda {e}: CAST({e} AS DATE))
sequence(timestamp, timestamp, interval day to second) -> array(timestamp) = generate_series({0}, {1}, {2})
sequence(timestamp, timestamp, interval year to month) -> array(timestamp) = generate_series({0}, {1}, {2})
transform(array(T), function(T, U)) -> array(U) = list_transform({0}, lambda {e}: {1[{e}]})
filter(array(T), function(T, boolean)) -> array(T) = list_filter({0}, lambda {e}: {1[{e}]})
any_match(array(T), function(T, boolean)) -> boolean = (len(list_filter({0}, lambda {e}: {1[{e}]})) > 0)
all_match(array(T), function(T, boolean)) -> boolean = (len(list_filter({0}, lambda {e}: {1[{e}]})) = len({0}))
none_match(array(T), function(T, boolean)) -> boolean = (len(list_filter({0}, lambda {e}: {1[{e}]})) = 0)
reduce(array(T), S, function(S, T, S), function(S, R)) -> R = list_transform([list_reduce({0}, lambda {s}, {e}: CAST({2[{s},{e}]} AS {S}), CAST({1} AS {S}))], lambda {r}: {3[{r}]})[1]
zip_with(array(T), array(U), function(T, U, R)) -> array(R) = list_transform(generate_series(1, greatest(len({0}), len({1}))), lambda {e}: {2[list_extract({0}, {e}),list_extract({1}, {e})]})
ngrams(array(varchar), bigint) -> array(array(varchar)) = list_transform(generate_series(1, greatest(len({0}) - {1} + 1, 1)), lambda {e}: list_slice({0}, {e}, {e} + {1} - 1))
"""

MAP = """
map(array(K), array(V)) -> map(K, V) = map({0}, {1})
map_keys(map(K, V)) -> array(K)
map_values(map(K, V)) -> array(V)
map_concat(map(K, V)...) -> map(K, V)
map_filter(map(K, V), function(K, V, boolean)) -> map(K, V) = map_from_entries(list_filter(map_entries({0}), lambda {e}: {1[{e}.key,{e}.value]}))
transform_values(map(K, V), function(K, V, U)) -> map(K, U) = map(map_keys({0}), list_transform(map_entries({0}), lambda {e}: {1[{e}.key,{e}.value]}))
transform_keys(map(K, V), function(K, V, U)) -> map(U, V) = map(list_transform(map_entries({0}), lambda {e}: {1[{e}.key,{e}.value]}), map_values({0}))
"""
