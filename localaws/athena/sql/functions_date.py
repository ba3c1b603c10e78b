"""Dates and times. ``D`` is a date, a timestamp or a timestamp with time zone, given in the zone it is shown in."""

DATE = """
now() -> timestamp with time zone = now()
date(varchar) -> date = t_date({0})
date(timestamp) -> date = CAST({0} AS DATE)
date(timestamp with time zone) -> date = CAST({0} AS DATE)
year(D) -> bigint = year({0})
quarter(D) -> bigint = quarter({0})
month(D) -> bigint = month({0})
week(D) -> bigint = weekofyear({0})
week_of_year(D) -> bigint = weekofyear({0})
year_of_week(D) -> bigint = isoyear({0})
yow(D) -> bigint = isoyear({0})
day(D) -> bigint = dayofmonth({0})
day_of_month(D) -> bigint = dayofmonth({0})
day_of_week(D) -> bigint = isodow({0})
dow(D) -> bigint = isodow({0})
day_of_year(D) -> bigint = dayofyear({0})
doy(D) -> bigint = dayofyear({0})
hour(D) -> bigint = hour({0})
minute(D) -> bigint = minute({0})
second(D) -> bigint = second({0})
millisecond(D) -> bigint = (millisecond({0}) % 1000)
last_day_of_month(D) -> date = last_day({0})
date_trunc(varchar, D) -> D = CAST(date_trunc(lower({0}), {1}) AS {D})
date_diff(varchar, D, D) -> bigint = date_sub(lower({0}), {1}, {2})
date_add(varchar, bigint, D) -> D = CAST({2} + t_interval(lower({0}), {1}) AS {D})
from_unixtime(double) -> timestamp with time zone = to_timestamp({0})
from_unixtime_nanos(bigint) -> timestamp with time zone = to_timestamp({0} / 1e9)
to_unixtime(timestamp) -> double = epoch({0})
to_unixtime(timestamp with time zone) -> double = epoch({0})
from_iso8601_timestamp(varchar) -> timestamp with time zone = CAST({0} AS TIMESTAMPTZ)
from_iso8601_date(varchar) -> date = t_date({0})
to_iso8601(date) -> varchar = CAST({0} AS VARCHAR)
to_iso8601(timestamp) -> varchar = strftime({0}, '%Y-%m-%dT%H:%M:%S.%g')
to_iso8601(timestamp with time zone) -> varchar = (strftime(timezone('UTC', {0}), '%Y-%m-%dT%H:%M:%S.%g') || 'Z')
"""

#: MySQL's format letters, which date_format and date_parse take, to DuckDB's.
MYSQL = {
    "a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M",
    "j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S",
    "T": "%H:%M:%S", "v": "%V", "W": "%A", "Y": "%Y", "y": "%y", "%": "%%",
}  # fmt: skip

#: Joda's pattern letters, which format_datetime and parse_datetime take, by letter and least count.
JODA = {
    "yyyy": "%Y", "yy": "%y", "y": "%Y", "YYYY": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "d": "%-d", "EEEE": "%A", "EEE": "%a", "E": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M",
    "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g", "SSSSSS": "%f", "a": "%p", "Z": "%z", "ZZ": "%z", "z": "%Z",
    "D": "%-j", "DDD": "%j", "x": "%G", "xxxx": "%G", "w": "%V", "ww": "%V", "e": "%u",
}  # fmt: skip


def mysql_format(text: str) -> str:
    """
    Translate a MySQL date format to DuckDB's.

    :raises ValueError: the letter that has no meaning here.
    """
    out, index = [], 0
    while index < len(text):
        if text[index] == "%" and index + 1 < len(text):
            letter = text[index + 1]
            if letter in "DUuVwXx":
                raise ValueError(f"%{letter} not supported in date format string")
            out.append(MYSQL.get(letter, letter))
            index += 2
            continue
        out.append(text[index].replace("%", "%%"))
        index += 1
    return "".join(out)


def joda_format(text: str) -> str:
    """
    Translate a Joda date pattern to DuckDB's format.

    :raises ValueError: the letters that have no meaning here.
    """
    out, index = [], 0
    while index < len(text):
        character = text[index]
        if character == "'":
            end = text.find("'", index + 1)
            end = len(text) if end < 0 else end
            out.append((text[index + 1 : end] or "'").replace("%", "%%"))
            index = end + 1
        elif character.isalpha():
            end = index
            while end < len(text) and text[end] == character:
                end += 1
            if text[index:end] not in JODA:
                raise ValueError(f"Illegal pattern component: {text[index:end]}")
            out.append(JODA[text[index:end]])
            index = end
        else:
            out.append(character.replace("%", "%%"))
            index += 1
    return "".join(out)
