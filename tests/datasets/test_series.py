"""Tables of time series: layouts, times, gaps, and every mistake that a table can have."""

import json

import numpy as np
import pandas as pd
import pytest

from rnnapps.datasets import DataError, SeriesSource, load_splits, summary
from rnnapps.datasets.embedded.temperatures import hourly
from rnnapps.datasets.frequency import Frequency, inferred, parsed
from rnnapps.datasets.rows import open_rows
from rnnapps.datasets.series_rows import Steps, series_rows


def load(path, **options):
    return load_splits(SeriesSource(dataset=str(path), **{"horizon": 2, **options}), ["all"])["all"]


def write(folder, text, name="series.csv"):
    (path := folder / name).write_text(text, "utf-8", "surrogateescape")
    return path


def long_table(rows, header="series,time,value"):
    return "\n".join([header, *rows]) + "\n"


DAYS = [f"2024-02-{day:02d}" for day in range(26, 30)] + ["2024-03-01", "2024-03-02"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_formats_hold_the_same_series(tmp_path, suffix):
    frame = pd.DataFrame({"series": "a", "time": DAYS, "value": [1.5, None, 3, 4, 5, 6]})
    path = tmp_path / f"series{suffix}"
    if suffix == ".parquet":
        frame.assign(time=pd.to_datetime(frame.time)).to_parquet(path)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    part = load(path)
    (one,) = part.series
    np.testing.assert_array_equal(one.values, [1.5, np.nan, 3, 4, 5, 6])
    assert (one.id, str(one.start), part.frequency, part.season) == ("a", "2024-02-26T00:00:00", parsed("D"), 7)
    assert not part.rejected


def test_layouts_hold_the_same_series(tmp_path):
    rows = [f"{name},{day},{value}" for name in "ab" for value, day in enumerate(DAYS)]
    columns = ["time,a,b", *(f"{day},{value},{value}" for value, day in enumerate(DAYS))]
    parts = [load(write(tmp_path, long_table(rows))), load(write(tmp_path, "\n".join(columns), "columns.csv"))]
    for part in parts:
        assert [one.id for one in part.series] == ["a", "b"] and part.frequency == parsed("D")
        assert all(np.array_equal(one.values, np.arange(6)) for one in part.series)
    wide = load(write(tmp_path, '"id","V1","V2","V3","V4"\n"a",1,2,,4\n"b",1,2,3,\n', "rows.csv"), season=2)
    assert wide.frequency is None and wide.season == 2
    np.testing.assert_array_equal(wide.series[0].values, [1, 2, np.nan, 4])
    np.testing.assert_array_equal(wide.series[1].values, [1, 2, 3])


def test_columns_may_be_called_as_those_of_a_long_table_and_lines_may_end_in_a_separator(tmp_path):
    rows = ["date,value,series", *(f"{day},{value},{value}" for value, day in enumerate(DAYS))]
    part = load(write(tmp_path, "\n".join(rows)))
    assert [one.id for one in part.series] == ["value", "series"]
    assert all(np.array_equal(one.values, np.arange(6)) for one in part.series)
    (one,) = load(write(tmp_path, long_table([f"{day},1," for day in DAYS], "time,value"), "commas.csv")).series
    assert str(one.start) == "2024-02-26T00:00:00" and one.values.tolist() == [1] * 6


def test_a_step_is_said_as_people_say_it(tmp_path):
    times = [f"2024-01-01 {minutes // 60:02d}:{minutes % 60:02d}" for minutes in range(0, 600, 15)]
    part = load(write(tmp_path, long_table([f"{time},1" for time in times], "time,value")))
    assert "steps of 15 minutes each" in next(summary([part]))


def test_rows_are_sorted_gaps_are_missing_and_all_of_it_is_said(tmp_path):
    rows = [f"a,2024-01-01 {hour:02d}:00,{hour}" for hour in (3, 0, 1, 2, 7, 6, 8)]
    part = load(write(tmp_path, long_table([*rows, "a,2024-01-01 02:00,99", "a,2024-01-01 09:00,many", "a,soon,1"])))
    np.testing.assert_array_equal(part.series[0].values, [0, 1, 2, 3, np.nan, np.nan, 6, 7, 8, np.nan])
    said = "\n".join(summary([part]))
    assert "not in order of time and were sorted" in said and "2 steps have no row; their values are missing" in said
    assert ":9: a second value of 'a' at 2024-01-01 02:00:00; the first is kept" in said
    assert ":10: 'value' must be a number, got 'many'" in said and ":11: 'time' must be a time, got 'soon'" in said
    with pytest.raises(DataError, match="without --strict it is skipped"):
        load(tmp_path / "series.csv", strict=True)


def test_times_with_a_zone_are_counted_in_utc(tmp_path):
    rows = [f"a,2024-03-31T0{hour}:00:00+0{zone}:00,{hour}" for hour, zone in ((0, 1), (1, 1), (3, 2), (4, 2))]
    part = load(write(tmp_path, long_table(rows)))
    assert str(part.series[0].start) == "2024-03-30T23:00:00" and len(part.series[0]) == 4
    assert "converted to UTC" in part.notes[0]


@pytest.mark.parametrize(
    ("form", "order"),
    [
        ("%d.%m.%Y", "day, month"),
        ("%d/%m/%Y", "day, month"),
        ("%m/%d/%Y", "month, day"),
        ("%d.%m.%y %H:%M", "day, month"),
    ],
)
def test_days_and_months_are_not_exchanged(tmp_path, form, order):
    days = pd.date_range("2023-01-01", periods=300)
    part = load(write(tmp_path, long_table([f"a,{day.strftime(form)},{n}" for n, day in enumerate(days)])))
    assert part.series[0].values.tolist() == list(range(300)) and part.frequency == parsed("D")
    assert any(f"are read as {order}, year" in note for note in part.notes) and not part.rejected


def test_series_without_values_are_left_out_and_constant_and_negative_ones_stay(tmp_path):
    rows = [f"{name},{day},{value}" for name, value in (("c", 3), ("n", -2), ("e", "")) for day in DAYS]
    part = load(write(tmp_path, long_table(rows)))
    assert [one.id for one in part.series] == ["c", "n"]
    assert part.rejected[0].reason == "the series 'e' has no values"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["a,2024-01-01,1", "a,2024-01-02,2", "a,2024-01-03,2", "a,2024-01-03 07:00,3"], "not a whole number of steps"),
        (
            [f"a,2024-01-01 {hour:02d}:00,1" for hour in range(9)] + [f"b,2024-01-0{day},1" for day in range(1, 6)],
            "'b' has a step of 1 day instead of 1 hour",
        ),
        (["a,2024-01-01,1", "b,2024-01-01,2"], "name it with --frequency"),
        (
            ["a,soon,1", "b,later,2"],
            "2 of 2 rows have no time in 'time', the first of them 'soon'; write times as 2024-",
        ),
    ],
)
def test_times_that_do_not_fit_are_one_line(tmp_path, rows, complaint):
    with pytest.raises(DataError, match=complaint) as error:
        load(write(tmp_path, long_table(rows)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        ("", "a.csv", "no rows; the file is empty"),
        ("series,time,value\n\udce9,2024-01-01,1\n", "a.csv", r"not UTF-8 \(byte 0xe9, which is 'é' in Windows-1252\)"),
        ("series,time,value\n", "a.csv", "no rows"),
        ("x", "a.xlsx", "must end in"),
        ("one,two\n1,2\n", "a.csv", "there is no column 'time'; the columns are 'one', 'two'"),
        ("series;time;value\na;2024-01-01;1\n", "a.csv", "the columns are separated by semicolons, not by commas"),
        ('[{"time": 1}]', "a.json", "the file is a JSON array"),
        ("id,V1,V2\na,1,2\na,1,2\n", "a.csv", "two rows name the series 'a'"),
        ("time,value\n2024-01-01,1\n2024-01-02,1,5\n", "a.csv", "line 3 has 3 fields, but those before it have 2"),
        (
            'time,value\n2024-01-01,1\n"2024-01-02,1\n2024-01-03,1\n',
            "a.csv",
            "line 3 begins a quoted value that never ends",
        ),
        ('time,value\n2024-01-01,"1\n2024-01-02,1\n2024-01-03,"1\n', "a.csv", "line 2 has a quoted value of 3 lines"),
        ("time,value\n2024-01-01,1,5\n2024-01-02,1,5\n", "a.csv", "rows have more fields than the header"),
        ("time,value, value\n2024-01-01,1,5\n", "a.csv", "two columns are called 'value'; rename one"),
        ("time,value\n2024-01-01 00:00:00.0,1\n2024-01-01 00:00:00.1,2\n", "a.csv", "several times within a second"),
    ],
)
def test_files_that_are_no_series_are_one_line(tmp_path, text, name, complaint):
    with pytest.raises(DataError, match=complaint):
        load(write(tmp_path, text, name))


def test_a_remark_may_have_several_lines(tmp_path):
    rows = [f"2024-01-{day:02d},{day},fine" for day in range(1, 21)]
    rows[5] = '2024-01-06,6,"hot, dry\nand windy"'
    table = "time,value,remark\n" + "\n".join(rows) + "\n"
    assert load(write(tmp_path, table)).series[0].values.tolist() == list(range(1, 21))
    broken = table.replace("7,fine", '7,"fine').replace("9,fine", '9,"fine')
    with pytest.raises(DataError, match="line 9 has a quoted value of 3 lines"):
        load(write(tmp_path, broken))


def test_the_end_of_each_series_is_held_out_and_short_ones_are_named(tmp_path):
    table = ["id,V1", *(f"{name}," + ",".join(map(str, range(size))) for name, size in (("a", 30), ("b", 9), ("c", 4)))]
    width = max(row.count(",") for row in table)
    table = [row + "," * (width - row.count(",")) for row in table]
    table[0] = "id," + ",".join(f"V{number}" for number in range(1, width + 1))
    parts = load_splits(SeriesSource(dataset=str(write(tmp_path, "\n".join(table))), horizon=3, windows=1))
    spans = {split: [(one.begin, one.end) for one in part.series] for split, part in parts.items()}
    assert spans == {"train": [(0, 24)], "validation": [(24, 27)], "test": [(27, 30)]}
    assert "2 series are shorter than 10 steps" in parts["train"].notes[0]


def test_a_file_with_what_follows_is_the_test_split(tmp_path):
    train = write(tmp_path, "id," + ",".join(f"V{n}" for n in range(12)) + "\na," + ",".join(map(str, range(12))))
    test = write(tmp_path, "id,V1,V2\na,12,13\n", "test.csv")
    parts = load_splits(SeriesSource(dataset=str(train), test=test, horizon=2, windows=1))
    assert [(one.begin, one.end) for part in parts.values() for one in part.series] == [(0, 10), (10, 12), (12, 14)]
    np.testing.assert_array_equal(parts["test"].series[0].values, np.arange(14))
    write(tmp_path, "id,V1,V2\nb,12,13\n", "test.csv")
    with pytest.raises(DataError, match=r"the series 'a' of .* is missing"):
        load_splits(SeriesSource(dataset=str(train), test=test, horizon=2, windows=1))


def test_what_is_known_ahead_goes_beyond_the_values(tmp_path):
    rows = [json.dumps({"series": "a", "time": day, "value": 1, "price": 2, "town": "x"}) for day in DAYS]
    rows += [json.dumps({"series": "a", "time": "2024-03-03", "value": None, "price": 9, "town": "x"})]
    part = load(write(tmp_path, "\n".join(rows), "a.jsonl"), known=("price",), static=("town",))
    assert len(part.series[0]) == 6 and part.series[0].known[:, 0].tolist() == [2] * 6 + [9]
    assert part.series[0].static == ("x",)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"known": ("town",)}, "the column 'town' of --known has no numbers; --static takes categories"),
        (
            {"static": ("price",)},
            "'price' of the series 'a' changes from '0' to '1'; --static is for what never changes",
        ),
        ({"known": ("price", "price")}, "the column 'price' is named twice by --known; name it once"),
        ({"known": ("price",), "past": ("price",)}, "the column 'price' is named by --known and by --past"),
        ({"known": ("value",)}, "the column 'value' is named by --value-column and by --known"),
    ],
)
def test_columns_beside_the_values_must_make_sense(tmp_path, columns, complaint):
    rows = [f"a,{day},1,{price},x" for price, day in enumerate(DAYS)]
    with pytest.raises(DataError, match=complaint):
        load(write(tmp_path, long_table(rows, "series,time,value,price,town")), **columns)


def test_rows_of_a_series_that_stand_apart_are_named(tmp_path):
    source = SeriesSource(known=("price",))
    table = long_table([f"{name},{day},1,3" for name in "aba" for day in DAYS], "series,time,value,price")
    path = write(tmp_path, table.replace("1,3", "0.3,", 1))
    rows = list(series_rows(open_rows(path, ("time", "value")).after(), path, Steps(source, parsed("D"), 2)))
    assert [row.problem for row in rows] == ["", "", "more rows of 'a'; sort the file by series"]
    assert rows[0].values["history"][:2] == [0.3, 1.0] and rows[0].values["known"][:2] == [[None], [3.0]]
    assert not any(row.warning for row in rows)


def test_a_season_as_long_as_the_series_is_said(tmp_path):
    days = pd.date_range("2023-01-01", periods=60)
    path = write(tmp_path, long_table([f"a,{day:%Y-%m-%d},{n}" for n, day in enumerate(days)]))
    splits = load_splits(SeriesSource(dataset=str(path), season=60, horizon=5))
    assert "warning: 1 series has no more than the 60 steps of a season; give a smaller --season" in summary(
        splits.values()
    )


@pytest.mark.parametrize("alias", ["s", "15min", "h", "D", "W", "B", "MS", "ME", "QS", "YS"])
def test_frequencies_are_inferred_through_gaps_and_counted_as_pandas_does(alias):
    times = pd.date_range("2021-02-28", periods=40, freq=alias).to_numpy("datetime64[s]")
    found = inferred([np.delete(times, [3, 4, 11])])
    assert found == parsed(alias)
    np.testing.assert_array_equal(found.positions(times), np.arange(40))
    np.testing.assert_array_equal(found.after(times[0], np.arange(40)), times)


@pytest.mark.parametrize(
    ("alias", "name", "season", "horizon"),
    [("h", "hour", 24, 24), ("30min", "30 minutes", 48, 48), ("D", "day", 7, 14), ("MS", "month", 12, 12)],
)
def test_a_frequency_has_a_usual_season_and_horizon(alias, name, season, horizon):
    found = parsed(alias)
    assert (found.name, found.season, found.horizon) == (name, season, horizon)
    assert parsed(str(found)) == found
    with pytest.raises(DataError, match="must be like h, 15min"):
        parsed("0h")


def test_the_temperatures_are_those_of_the_package(tmp_path):
    parts = load_splits(SeriesSource(data_dir=tmp_path))
    assert [one.id for one in parts["train"].series] == ["San Francisco", "Seattle"]
    seattle = parts["test"].series[1]
    assert len(seattle) == 8760 and seattle.values[:2].tolist() == pytest.approx([39.4, 39.2])
    assert np.flatnonzero(np.isnan(seattle.values)).tolist() == [72 * 24 + 3]  # of 14 March
    np.testing.assert_array_equal(seattle.values, hourly("Seattle"))
    assert parts["test"].frequency == Frequency(3600, "seconds")
