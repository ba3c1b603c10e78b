"""
Aggregates and window functions.

The approximate ones are exact here: that is within the error that Trino promises, and the same at every run.
"""

AGGREGATE = """
@count(any) -> bigint
@count_if(boolean) -> bigint = CAST(count_if({args}){over} AS BIGINT)
@sum(bigint) -> bigint = CAST(sum({args}){over} AS BIGINT)
@sum(double) -> double
@sum(real) -> real = CAST(sum({args}){over} AS FLOAT)
@avg(bigint) -> double
@avg(double) -> double
@avg(real) -> real = CAST(avg({args}){over} AS FLOAT)
@min(T) -> T
@max(T) -> T
@min(T, bigint) -> array(T)
@max(T, bigint) -> array(T)
@min_by(T, U) -> T = arg_min_null({args}){over}
@max_by(T, U) -> T = arg_max_null({args}){over}
@min_by(T, U, bigint) -> array(T) = arg_min({args}){over}
@max_by(T, U, bigint) -> array(T) = arg_max({args}){over}
@arbitrary(T) -> T = any_value({args}){over}
@any_value(T) -> T
@array_agg(T) -> array(T) = list({args}){over}
@approx_distinct(any) -> bigint = count(DISTINCT {0}){over}
@approx_distinct(any, double) -> bigint = count(DISTINCT {0}){over}
@approx_percentile(N, double) -> N = quantile_disc({0}, {1}){over}
@approx_percentile(N, array(double)) -> array(N) = quantile_disc({0}, {1}){over}
@stddev(double) -> double = stddev_samp({args}){over}
@stddev_samp(double) -> double
@stddev_pop(double) -> double
@variance(double) -> double = var_samp({args}){over}
@var_samp(double) -> double
@var_pop(double) -> double
@covar_samp(double, double) -> double
@covar_pop(double, double) -> double
@corr(double, double) -> double
@regr_slope(double, double) -> double
@regr_intercept(double, double) -> double
@skewness(double) -> double
@kurtosis(double) -> double
@geometric_mean(double) -> double = geomean({args}){over}
@bool_and(boolean) -> boolean
@bool_or(boolean) -> boolean
@every(boolean) -> boolean = bool_and({args}){over}
@bitwise_and_agg(bigint) -> bigint = bit_and({args}){over}
@bitwise_or_agg(bigint) -> bigint = bit_or({args}){over}
@bitwise_xor_agg(bigint) -> bigint = bit_xor({args}){over}
@histogram(T) -> map(T, bigint) = CAST(histogram({args}){over} AS MAP({T}, BIGINT))
@multimap_agg(K, V) -> map(K, array(V)) = t_multimap(list({0}){over}, list({1}){over})
@map_agg(K, V) -> map(K, V) = t_map(list({0}){over}, list({1}){over})
"""

WINDOW = """
%row_number() -> bigint
%rank() -> bigint
%dense_rank() -> bigint
%percent_rank() -> double
%cume_dist() -> double
%ntile(bigint) -> bigint
%lag(T) -> T
%lag(T, bigint) -> T
%lag(T, bigint, T) -> T
%lead(T) -> T
%lead(T, bigint) -> T
%lead(T, bigint, T) -> T
%first_value(T) -> T
%last_value(T) -> T
%nth_value(T, bigint) -> T
"""
