import pytest

from patlib.names import nearest


@pytest.mark.parametrize(("name", "meant"), [("PTA", "pat"), ("Focl", "focal"), ("LDAM", "ldam"), ("zebra", None)])
def test_the_name_that_was_meant_is_found_whatever_its_case(name, meant):
    assert nearest(name, ["ce", "pat", "focal", "ldam"]) == meant


def test_it_is_given_as_it_is_known():
    assert nearest("camvidd", {"CamVid": 1, "Pet": 2}) == "CamVid"
