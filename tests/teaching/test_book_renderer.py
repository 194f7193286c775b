import re
from types import SimpleNamespace

from patlib.teaching.book_renderer import MIME, VegaLite
from patlib.teaching.weight_curve import MIME as SENT


def rendered(content=None, mime=MIME, inline=False, place=(3, 0)):
    cell, output = place
    data = SimpleNamespace(mime_type=mime, content=content or {"mark": "line"}, cell_index=cell, output_index=output)
    return VegaLite.handle_mime(None, data, inline)


def name(nodes):
    return re.search(r'id="(vega-\w+)"', nodes[0].astext())[1]


def test_a_chart_is_drawn_into_its_own_place():
    (node,) = rendered()
    assert node["format"] == "html"
    assert f'drawChart("#{name([node])}", {{"mark": "line"}})' in node.astext()


def test_two_equal_charts_of_a_page_have_two_places():
    assert name(rendered()) == name(rendered()) != name(rendered(place=(3, 1)))
    assert name(rendered()) != name(rendered({"mark": "bar"}))


def test_a_text_in_a_chart_cannot_end_the_script():
    (node,) = rendered({"title": "</script><b>"})
    assert node.astext().count("</script>") == 1 and r"<\/script><b>" in node.astext()


def test_other_outputs_are_left_to_other_renderers():
    assert rendered(mime="text/plain") is None and rendered(inline=True) is None


def test_charts_are_sent_as_what_the_book_draws():
    assert SENT == MIME and ("html", MIME, 5) in VegaLite.mime_priority_overrides
