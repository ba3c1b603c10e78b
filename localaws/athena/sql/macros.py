# ruff: noqa: E501 - a signature, or a macro, reads best on its line.
"""DuckDB macros, named ``t_...``, for what Trino's functions do differently from DuckDB's of the same purpose."""

from __future__ import annotations

import re
from functools import cache


def fail(message: str, duckdb_type: str = "INTEGER") -> str:
    """
    Return SQL that fails with the text that the SQL ``message`` gives, typed so that a CASE can hold it.

    It is a cast that cannot succeed: TRY(...) catches it, unlike DuckDB's own, volatile ``error()``.
    """
    return f"CAST(CAST(chr(31) || ({message}) || chr(31) AS INTEGER) AS {duckdb_type})"


_SCIENTIFIC = r"""
CREATE MACRO t_digits(t) AS rtrim(ltrim(regexp_replace(t, '[-.]|e.*$', '', 'g'), '0'), '0');
CREATE MACRO t_exponent(t) AS CASE
    WHEN contains(t, 'e') THEN CAST(split_part(t, 'e', 2) AS INTEGER)
    WHEN regexp_matches(t, '^-?0\.') THEN -(length(regexp_extract(t, '^-?0\.(0*)', 1)) + 1)
    ELSE length(regexp_extract(t, '^-?(\d+)', 1)) - 1 END;
CREATE MACRO t_scientific(t) AS
    CASE WHEN t[1] = '-' THEN '-' ELSE '' END || t_digits(t)[1] || '.' ||
    CASE WHEN length(t_digits(t)) > 1 THEN t_digits(t)[2:] ELSE '0' END || 'E' || t_exponent(t);
"""


_MACROS = f"""
CREATE MACRO t_blanks() AS ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13);
CREATE MACRO t_substr(s, i) AS CASE WHEN i = 0 OR abs(i) > length(s) THEN left(s, 0) ELSE substr(s, i) END;
CREATE MACRO t_substr_n(s, i, n) AS
    CASE WHEN i = 0 OR n <= 0 OR abs(i) > length(s) THEN left(s, 0) ELSE substr(s, i, n) END;
CREATE MACRO t_split_n(s, d, n) AS CASE
    WHEN n <= 0 THEN CAST([{fail("'INVALID_FUNCTION_ARGUMENT: Limit must be positive' || left(s, 0)", "VARCHAR")}] AS VARCHAR[])
    WHEN len(string_split(s, d)) <= n THEN string_split(s, d)
    ELSE list_append(list_slice(string_split(s, d), 1, n - 1), array_to_string(list_slice(string_split(s, d), n, len(string_split(s, d))), d))
    END;
CREATE MACRO t_split_to_map(s, a, b) AS map_from_entries(
    list_transform(string_split(s, a), lambda p: struct_pack(key := string_split(p, b)[1], value := string_split(p, b)[2])));
CREATE MACRO t_replacement(r) AS regexp_replace(regexp_replace(r, '\\$([0-9])', '\\\\\\1', 'g'), '\\\\\\$', '$', 'g');
CREATE MACRO t_url_parameter(u, p) AS list_extract(list_transform(
    list_filter(string_split(regexp_extract(u, '\\?([^#]*)', 1), '&'), lambda q: string_split(q, '=')[1] = p),
    lambda q: url_decode(coalesce(string_split(q, '=')[2], ''))), 1);
CREATE MACRO t_sqrt(x) AS CASE WHEN x < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(x) END;
CREATE MACRO t_ln(x) AS CASE WHEN x < 0 THEN CAST('nan' AS DOUBLE) WHEN x = 0 THEN CAST('-inf' AS DOUBLE) ELSE ln(x) END;
CREATE MACRO t_from_base(s, r) AS CAST(list_reduce(
    list_transform(regexp_extract_all(lower(s), '.'), lambda c: strpos('0123456789abcdefghijklmnopqrstuvwxyz', c) - 1),
    lambda a, d: a * r + d, CAST(0 AS BIGINT)) AS BIGINT);
CREATE MACRO t_random(n) AS CASE WHEN n <= 0
    THEN {fail("'INVALID_FUNCTION_ARGUMENT: bound must be positive' || left(CAST(n AS VARCHAR), 0)", "BIGINT")}
    ELSE CAST(floor(random() * n) AS BIGINT) END;
CREATE MACRO t_random_between(a, b) AS CASE WHEN a >= b
    THEN {fail("'INVALID_FUNCTION_ARGUMENT: start value must be less than stop value' || left(CAST(a AS VARCHAR), 0)", "BIGINT")}
    ELSE CAST(a + CAST(floor(random() * (CAST(b AS HUGEINT) - a)) AS HUGEINT) AS BIGINT) END;
CREATE MACRO t_width_bucket(x, low, high, n) AS CASE
    WHEN x < low THEN CAST(0 AS BIGINT) WHEN x >= high THEN n + 1
    ELSE CAST(floor((x - low) / (high - low) * n) AS BIGINT) + 1 END;
CREATE MACRO t_path(p) AS regexp_replace(p, '\\[\\s*(?:''([^'']*)''|"([^"]*)")\\s*\\]', '."\\1\\2"', 'g');
CREATE MACRO t_json_extract(j, p) AS CASE WHEN json_valid(CAST(j AS VARCHAR)) THEN json_extract(CAST(j AS VARCHAR), t_path(p)) END;
CREATE MACRO t_json_scalar(j, p) AS CASE
    WHEN json_valid(CAST(j AS VARCHAR)) AND json_type(CAST(j AS VARCHAR), t_path(p)) NOT IN ('OBJECT', 'ARRAY', 'NULL')
    THEN json_extract_string(CAST(j AS VARCHAR), t_path(p)) END;
CREATE MACRO t_json_length(j) AS CASE
    WHEN json_valid(CAST(j AS VARCHAR)) AND json_type(CAST(j AS VARCHAR)) = 'ARRAY'
    THEN CAST(json_array_length(CAST(j AS VARCHAR)) AS BIGINT) END;
CREATE MACRO t_json_array(j) AS CASE
    WHEN json_valid(CAST(j AS VARCHAR)) AND json_type(CAST(j AS VARCHAR)) = 'ARRAY' THEN CAST(CAST(j AS VARCHAR) AS JSON) END;
CREATE MACRO t_json_get(j, i) AS CASE
    WHEN json_valid(CAST(j AS VARCHAR)) AND json_type(CAST(j AS VARCHAR)) = 'ARRAY'
    THEN json_extract(CAST(j AS VARCHAR), '$[' || CASE WHEN i < 0 THEN '#' || i ELSE CAST(i AS VARCHAR) END || ']') END;
CREATE MACRO t_json_size(j, p) AS CASE json_type(CAST(j AS VARCHAR), t_path(p))
    WHEN 'ARRAY' THEN CAST(json_array_length(CAST(j AS VARCHAR), t_path(p)) AS BIGINT)
    WHEN 'OBJECT' THEN CAST(len(json_keys(CAST(j AS VARCHAR), t_path(p))) AS BIGINT) ELSE CAST(0 AS BIGINT) END;
CREATE MACRO t_date(s) AS CASE
    WHEN s IS NULL THEN NULL WHEN regexp_full_match(s, '\\s*[+-]?\\d{{4,}}-\\d{{1,2}}-\\d{{1,2}}\\s*') THEN CAST(trim(s) AS DATE)
    ELSE {fail("'INVALID_CAST_ARGUMENT: Value cannot be cast to date: ' || s", "VARCHAR")}::DATE END;
CREATE MACRO t_timestamp(s) AS CASE
    WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(s, '\\s*[+-]?\\d{{4,}}-\\d{{1,2}}-\\d{{1,2}}(?: \\d{{1,2}}:\\d{{1,2}}(?::\\d{{1,2}}(?:\\.\\d+)?)?)?\\s*')
    THEN CAST(trim(s) AS TIMESTAMP)
    ELSE {fail("'INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: ' || s", "VARCHAR")}::TIMESTAMP END;
CREATE MACRO t_interval(u, n) AS CASE u
    WHEN 'millisecond' THEN to_milliseconds(n) WHEN 'second' THEN to_seconds(n) WHEN 'minute' THEN to_minutes(n)
    WHEN 'hour' THEN to_hours(n) WHEN 'day' THEN to_days(CAST(n AS INTEGER)) WHEN 'week' THEN to_weeks(CAST(n AS INTEGER))
    WHEN 'month' THEN to_months(CAST(n AS INTEGER)) WHEN 'quarter' THEN to_months(CAST(3 * n AS INTEGER))
    WHEN 'year' THEN to_years(CAST(n AS INTEGER))
    ELSE {fail("'INVALID_FUNCTION_ARGUMENT: ''' || u || ''' is not a valid Timestamp field'")} * INTERVAL 1 DAY END;
CREATE MACRO t_contains(a, x) AS CASE
    WHEN a IS NULL OR x IS NULL THEN NULL WHEN list_contains(a, x) THEN true
    WHEN len(a) <> list_count(a) THEN NULL ELSE false END;
CREATE MACRO t_distinct(a) AS list_filter(a, lambda x, i: CASE
    WHEN x IS NULL THEN list_position(list_transform(a, lambda y: y IS NULL), true) = i ELSE list_position(a, x) = i END);
CREATE MACRO t_slice(a, i, n) AS CASE
    WHEN i > 0 THEN list_slice(a, i, i + n - 1) ELSE list_slice(a, len(a) + i + 1, len(a) + i + n) END;
CREATE MACRO t_map(ks, vs) AS map(
    list_filter(ks, lambda k, i: k IS NOT NULL AND list_position(ks, k) = i),
    list_filter(vs, lambda v, i: ks[i] IS NOT NULL AND list_position(ks, ks[i]) = i));
CREATE MACRO t_multimap(ks, vs) AS map(
    list_filter(ks, lambda k, i: k IS NOT NULL AND list_position(ks, k) = i),
    list_transform(list_filter(ks, lambda k, i: k IS NOT NULL AND list_position(ks, k) = i),
        lambda k: list_filter(vs, lambda v, j: ks[j] = k)));
CREATE MACRO t_day_interval(i) AS
    CASE WHEN epoch_ms(TIMESTAMP '1970-01-01' + i) < 0 THEN '-' ELSE '' END
    || (abs(epoch_ms(TIMESTAMP '1970-01-01' + i)) // 86400000) || ' '
    || strftime(make_timestamp((abs(epoch_ms(TIMESTAMP '1970-01-01' + i)) % 86400000) * 1000), '%H:%M:%S.%g');
CREATE MACRO t_months(i) AS datepart('year', i) * 12 + datepart('month', i);
CREATE MACRO t_year_interval(i) AS
    CASE WHEN t_months(i) < 0 THEN '-' ELSE '' END || (abs(t_months(i)) // 12) || '-' || (abs(t_months(i)) % 12);
CREATE MACRO t_bytes(b) AS rtrim(regexp_replace(lower(hex(b)), '(..)', '\\1 ', 'g'));
CREATE MACRO t_ratio(a, b) AS CASE WHEN (a < 0) = (b < 0)
    THEN (abs(a) * 2 + abs(b)) // (abs(b) * 2) ELSE -((abs(a) * 2 + abs(b)) // (abs(b) * 2)) END;
CREATE MACRO t_double(x) AS CASE
    WHEN x IS NULL THEN NULL WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
    WHEN x = 0 OR (abs(x) >= 0.001 AND abs(x) < 10000000) THEN CAST(x AS VARCHAR)
    ELSE t_scientific(CAST(x AS VARCHAR)) END;
"""


_NAME = re.compile(r"\bt_[a-z_]+(?=\()")


@cache
def _by_name() -> dict[str, str]:
    found = {}
    for statement in (_SCIENTIFIC + _MACROS).split(";\n"):
        if statement.strip():
            found[_NAME.findall(statement)[0]] = statement.strip().replace(
                "CREATE MACRO", "CREATE MACRO IF NOT EXISTS", 1
            )
    return found


def needed(sql: str) -> list[str]:
    """Return the statements that create the macros used by ``sql``, each after the macros that it uses itself."""
    found: dict[str, str] = {}

    def add(text: str) -> None:
        for name in _NAME.findall(text):
            statement = _by_name().get(name)
            if statement is not None and name not in found:
                # Its own name stands in it, too: reserve the place before looking inside.
                found[name] = ""
                add(statement)
                del found[name]
                found[name] = statement

    add(sql)
    return list(found.values())
