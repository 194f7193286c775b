from patlib.cli.messages import say


def test_control_characters_are_spelt_out_and_text_is_left_alone(capsys):
    say("a\x1b[2J\x9bm\u202e\r\tb ± é\nc")
    assert capsys.readouterr().out == "a\\x1b[2J\\x9bm\\u202e\\r\tb ± é\nc\n"
