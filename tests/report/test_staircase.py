from report_cases import case

from harness.report.charts.curves import Api, SelfHost, api_of, self_host_of, tasks_of, windows_of

# AN-12: K 1,576,800 tasks an instance, one box 5.672 * 730 = 4,140.56 USD a month
BOX = SelfHost(4140.56, 1_576_800, 1, 0.0)


def test_whole_instances_serve_a_volume_and_a_full_one_needs_no_second() -> None:
    volumes = (0, 1, 1_576_800, 1_576_801, 5_000_000)

    assert [BOX.instances(volume) for volume in volumes] == [1, 1, 1, 2, 4]


def test_the_staircase_is_level_then_upright() -> None:
    # from 1M to 4M: one box up to 1,576,800, two up to 3,153,600, three from there
    assert BOX.corners(1e6, 4e6) == [
        (1e6, 4140.56),
        (1_576_800, 4140.56),
        (1_576_800, 8281.12),
        (3_153_600, 8281.12),
        (3_153_600, 4140.56 * 3),
        (4e6, 4140.56 * 3),
    ]


def test_a_staircase_too_fine_to_draw_ends_in_a_slope() -> None:
    corners = BOX.corners(1e6, 1e12)

    assert len(corners) == 602  # the start, two corners for each of 300 steps, the end
    assert corners[-1] == (1e12, BOX.usd(1e12))


def test_fewer_instances_than_the_least_asked_for_are_never_drawn() -> None:
    box = SelfHost(100.0, 1000, 2, 50.0)

    assert box.corners(1, 2500) == [(1, 250.0), (2000, 250.0), (2000, 350.0), (2500, 350.0)]


def test_fixed_costs_lift_both_curves() -> None:
    assert SelfHost(4140.56, 1_576_800, 1, 8666.67).usd(400_000) == 4140.56 + 8666.67
    assert Api(0.00615, 100.0).usd(400_000) == 2560.0


def test_curves_are_read_from_a_decision() -> None:
    decision = case("two_windows").decision
    assert decision is not None
    arm = decision["arms"][0]

    box = self_host_of(arm)

    assert box == SelfHost(5.672 * 730, 1_576_800, 1, 8666.666666666666)
    assert api_of(arm) == Api(0.00615, 0.0)
    assert windows_of(arm) == [(2755737.6693766937, 3153600.0), (3428999.45799458, None)]
    assert tasks_of(decision) == 400_000


def test_a_box_without_goodput_has_no_curve() -> None:
    decision = case("infeasible").decision
    assert decision is not None

    assert [self_host_of(arm) for arm in decision["arms"]] == [None, None, None]
