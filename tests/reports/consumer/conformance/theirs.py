def test_that_must_not_run_with_the_battery():
    raise AssertionError
