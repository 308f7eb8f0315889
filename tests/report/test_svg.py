from itertools import pairwise

from harness.report.charts import svg


def test_text_and_attributes_of_a_drawing_are_escaped() -> None:
    drawn = svg.element("text", '<b>&"', data_arm='"><script>')

    assert drawn == '<text data-arm="&#34;&gt;&lt;script&gt;">&lt;b&gt;&amp;&#34;</text>'


def test_a_path_writes_level_and_upright_pieces_as_such() -> None:
    drawn = svg.path([(0, 10), (5, 10), (5, 2), (7, 0)], "line")

    assert 'd="M0.00 10.00H5.00V2.00L7.00 0.00"' in drawn


def test_a_log_scale_puts_equal_factors_at_equal_distances() -> None:
    x = svg.Scale(1, 10_000, 0, 400, log=True)

    assert [round(x(v), 9) for v in (1, 10, 100, 10_000)] == [0, 100, 200, 400]
    assert x(0.001) == 0  # below the axis: on its edge


def test_ticks_of_a_log_scale_thin_out_with_its_length() -> None:
    assert svg.log_ticks(1, 10, 6) == [1, 2, 5, 10]
    assert svg.log_ticks(1, 1000, 8) == [1, 3, 10, 30, 100, 300, 1000]
    assert svg.log_ticks(1, 10_000, 5) == [1, 10, 100, 1000, 10_000]


def test_ticks_of_a_straight_scale_are_round() -> None:
    assert svg.linear_ticks(0, 1, 6) == [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]


def test_round_bounds_enclose_a_value() -> None:
    assert [svg.round_down(v) for v in (0.7, 3, 1999)] == [0.5, 2, 1000]
    assert [svg.round_up(v) for v in (0.7, 3, 2001)] == [1, 5, 5000]


def test_labels_that_would_overlap_are_moved_apart_and_stay_inside() -> None:
    assert svg.spread([100, 102, 10], 15, 0, 110) == [95, 110, 10]


def test_ticks_side_by_side_are_as_many_as_have_room() -> None:
    wide = svg.across(svg.Scale(1000, 1e9, 50, 950, log=True), lambda v: f"{v:,.0f}", 9, (0, 1000))
    tight = svg.across(svg.Scale(1000, 1e9, 50, 250, log=True), lambda v: f"{v:,.0f}", 9, (0, 270))

    assert [label for _, label in wide][-1] == "1,000,000,000"
    assert 1 <= len(tight) < len(wide)
    ends = [(place - svg.width_of(label) / 2, place + svg.width_of(label) / 2) for place, label in tight]
    assert all(left >= 0 and right <= 270 for left, right in ends)
    assert all(right < left for (_, right), (left, _) in pairwise(ends))


def test_a_name_is_cut_only_where_it_has_no_room() -> None:
    name = "anthropic:claude-sonnet-4-6"

    assert svg.fitted(name, svg.width_of(name)) == name
    assert svg.fitted(name, 100).endswith("…")
    assert svg.width_of(svg.fitted(name, 100)) <= 100


def test_a_label_in_the_middle_of_a_place_stays_between_two_ends() -> None:
    wide = svg.width_of("now 5", bold=True)

    assert svg.centred("now 5", 200, 0, 400) == 200 - wide / 2
    assert svg.centred("now 5", 3, 0, 400) == 0
    assert svg.centred("now 5", 399, 0, 400) == 400 - wide
