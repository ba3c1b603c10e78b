# ruff: noqa: E501 - a signature, or a macro, reads best on its line.
"""Scalar functions over text, numbers, bytes, URLs and JSON. What is written ``t_...`` is a macro of sql/macros."""

TEXT = r"""
upper(varchar) -> varchar
lower(varchar) -> varchar
length(varchar) -> bigint
length(varbinary) -> bigint = octet_length({0})
reverse(varchar) -> varchar
replace(varchar, varchar) -> varchar = replace({0}, {1}, '')
replace(varchar, varchar, varchar) -> varchar
trim(varchar) -> varchar = trim({0}, t_blanks())
ltrim(varchar) -> varchar = ltrim({0}, t_blanks())
rtrim(varchar) -> varchar = rtrim({0}, t_blanks())
trim(varchar, varchar) -> varchar
ltrim(varchar, varchar) -> varchar
rtrim(varchar, varchar) -> varchar
lpad(varchar, bigint, varchar) -> varchar = lpad({0}, CAST({1} AS INTEGER), {2})
rpad(varchar, bigint, varchar) -> varchar = rpad({0}, CAST({1} AS INTEGER), {2})
substr(varchar, bigint) -> varchar = t_substr({0}, {1})
substr(varchar, bigint, bigint) -> varchar = t_substr_n({0}, {1}, {2})
substring(varchar, bigint) -> varchar = t_substr({0}, {1})
substring(varchar, bigint, bigint) -> varchar = t_substr_n({0}, {1}, {2})
strpos(varchar, varchar) -> bigint
position(varchar, varchar) -> bigint = strpos({1}, {0})
split(varchar, varchar) -> array(varchar) = string_split({0}, {1})
split(varchar, varchar, bigint) -> array(varchar) = t_split_n({0}, {1}, {2})
split_part(varchar, varchar, bigint) -> varchar = list_extract(string_split({0}, {1}), {2})
split_to_map(varchar, varchar, varchar) -> map(varchar, varchar) = t_split_to_map({0}, {1}, {2})
concat_ws(varchar, array(varchar)) -> varchar = array_to_string({1}, {0})
concat_ws(varchar, varchar...) -> varchar
starts_with(varchar, varchar) -> boolean
ends_with(varchar, varchar) -> boolean
chr(bigint) -> varchar = chr(CAST({0} AS INTEGER))
codepoint(varchar) -> integer = unicode({0})
translate(varchar, varchar, varchar) -> varchar
levenshtein_distance(varchar, varchar) -> bigint = levenshtein({0}, {1})
hamming_distance(varchar, varchar) -> bigint = hamming({0}, {1})
normalize(varchar) -> varchar = nfc_normalize({0})
regexp_like(varchar, varchar) -> boolean = regexp_matches({0}, {1})
regexp_extract(varchar, varchar) -> varchar = CASE WHEN regexp_matches({0}, {1}) THEN regexp_extract({0}, {1}) END
regexp_extract(varchar, varchar, bigint) -> varchar = CASE WHEN regexp_matches({0}, {1}) THEN regexp_extract({0}, {1}, CAST({2} AS INTEGER)) END
regexp_extract_all(varchar, varchar) -> array(varchar) = regexp_extract_all({0}, {1})
regexp_extract_all(varchar, varchar, bigint) -> array(varchar) = regexp_extract_all({0}, {1}, CAST({2} AS INTEGER))
regexp_replace(varchar, varchar) -> varchar = regexp_replace({0}, {1}, '', 'g')
regexp_replace(varchar, varchar, varchar) -> varchar = regexp_replace({0}, {1}, t_replacement({2}), 'g')
regexp_split(varchar, varchar) -> array(varchar) = string_split_regex({0}, {1})
regexp_count(varchar, varchar) -> bigint = len(regexp_extract_all({0}, {1}))
url_encode(varchar) -> varchar
url_decode(varchar) -> varchar
url_extract_protocol(varchar) -> varchar = nullif(regexp_extract({0}, '^([A-Za-z][A-Za-z0-9+.-]*):', 1), '')
url_extract_host(varchar) -> varchar = nullif(regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@?#]*@)?([^/:?#]+)', 1), '')
url_extract_port(varchar) -> bigint = TRY_CAST(regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*:([0-9]+)', 1) AS BIGINT)
url_extract_path(varchar) -> varchar = regexp_extract({0}, '^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]*)', 1)
url_extract_query(varchar) -> varchar = regexp_extract({0}, '^[^?#]*\?([^#]*)', 1)
url_extract_fragment(varchar) -> varchar = regexp_extract({0}, '#(.*)$', 1)
url_extract_parameter(varchar, varchar) -> varchar = t_url_parameter({0}, {1})
"""

BINARY = """
to_utf8(varchar) -> varbinary = encode({0})
from_utf8(varbinary) -> varchar = decode({0})
md5(varbinary) -> varbinary = unhex(md5({0}))
sha1(varbinary) -> varbinary = unhex(sha1({0}))
sha256(varbinary) -> varbinary = unhex(sha256({0}))
to_hex(varbinary) -> varchar = hex({0})
from_hex(varchar) -> varbinary = unhex({0})
to_base64(varbinary) -> varchar
from_base64(varchar) -> varbinary
"""

MATH = """
abs(N) -> N
ceil(N) -> N = CAST(ceil({0}) AS {N})
ceiling(N) -> N = CAST(ceil({0}) AS {N})
floor(N) -> N = CAST(floor({0}) AS {N})
round(N) -> N = CAST(round({0}) AS {N})
round(N, bigint) -> N = CAST(round({0}, CAST({1} AS INTEGER)) AS {N})
truncate(double) -> double = trunc({0})
truncate(N, bigint) -> N = CAST(trunc({0} * pow(10, {1})) / pow(10, {1}) AS {N})
sign(N) -> N = CAST(sign({0}) AS {N})
sqrt(double) -> double = t_sqrt({0})
cbrt(double) -> double
exp(double) -> double
ln(double) -> double = t_ln({0})
log2(double) -> double = t_ln({0}) / ln(2)
log10(double) -> double = CASE WHEN {0} > 0 THEN log10({0}) ELSE t_ln({0}) END
log(double, double) -> double = t_ln({1}) / t_ln({0})
power(double, double) -> double = pow({0}, {1})
pow(double, double) -> double = pow({0}, {1})
mod(N, N) -> N = ({0} % {1})
pi() -> double
e() -> double = exp(1)
rand() -> double = random()
random() -> double = random()
rand(I) -> I = CAST(t_random({0}) AS {I})
random(I) -> I = CAST(t_random({0}) AS {I})
rand(I, I) -> I = CAST(t_random_between({0}, {1}) AS {I})
random(I, I) -> I = CAST(t_random_between({0}, {1}) AS {I})
degrees(double) -> double
radians(double) -> double
sin(double) -> double
cos(double) -> double
tan(double) -> double
asin(double) -> double
acos(double) -> double
atan(double) -> double
atan2(double, double) -> double
sinh(double) -> double
cosh(double) -> double
tanh(double) -> double
is_nan(double) -> boolean = isnan({0})
is_finite(double) -> boolean = isfinite({0})
is_infinite(double) -> boolean = isinf({0})
nan() -> double = CAST('nan' AS DOUBLE)
infinity() -> double = CAST('inf' AS DOUBLE)
to_base(bigint, bigint) -> varchar = lower(to_base({0}, CAST({1} AS INTEGER)))
from_base(varchar, bigint) -> bigint = t_from_base({0}, {1})
width_bucket(double, double, double, bigint) -> bigint = t_width_bucket({0}, {1}, {2}, {3})
bitwise_and(bigint, bigint) -> bigint = ({0} & {1})
bitwise_or(bigint, bigint) -> bigint = ({0} | {1})
bitwise_xor(bigint, bigint) -> bigint = xor({0}, {1})
bitwise_not(bigint) -> bigint = (~{0})
bitwise_left_shift(bigint, bigint) -> bigint = ({0} << {1})
bitwise_right_shift(bigint, bigint) -> bigint = ({0} >> {1})
bit_count(bigint, bigint) -> bigint = CAST(bit_count({0}) AS BIGINT)
uuid() -> uuid
"""

JSON = """
json_extract(json, varchar) -> json = t_json_extract({0}, {1})
json_extract(varchar, varchar) -> json = t_json_extract({0}, {1})
json_extract_scalar(json, varchar) -> varchar = t_json_scalar({0}, {1})
json_extract_scalar(varchar, varchar) -> varchar = t_json_scalar({0}, {1})
json_parse(varchar) -> json = json({0})
json_format(json) -> varchar = CAST({0} AS VARCHAR)
json_array_length(json) -> bigint = t_json_length({0})
json_array_length(varchar) -> bigint = t_json_length({0})
json_array_get(json, bigint) -> json = t_json_get({0}, {1})
json_array_get(varchar, bigint) -> json = t_json_get({0}, {1})
json_array_contains(json, varchar) -> boolean = list_contains(CAST(t_json_array({0}) AS VARCHAR[]), {1})
json_array_contains(varchar, varchar) -> boolean = list_contains(CAST(t_json_array({0}) AS VARCHAR[]), {1})
json_array_contains(json, bigint) -> boolean = list_contains(CAST(t_json_array({0}) AS VARCHAR[]), CAST({1} AS VARCHAR))
json_array_contains(varchar, bigint) -> boolean = list_contains(CAST(t_json_array({0}) AS VARCHAR[]), CAST({1} AS VARCHAR))
json_size(json, varchar) -> bigint = t_json_size({0}, {1})
json_size(varchar, varchar) -> bigint = t_json_size({0}, {1})
is_json_scalar(json) -> boolean = (json_type({0}) NOT IN ('OBJECT', 'ARRAY'))
is_json_scalar(varchar) -> boolean = (json_type({0}) NOT IN ('OBJECT', 'ARRAY'))
"""
