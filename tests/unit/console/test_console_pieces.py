"""The small parts of pages."""

import pytest

from headwater.console.parts.pieces import described


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "See [the docs](https://a.test/b?c=1&d#e).",
            'See <a href="https://a.test/b?c=1&amp;d#e" target="_blank" rel="noopener">the docs</a>.',
        ),
        ("**Needed** for `a < b`", "<b>Needed</b> for <code>a &lt; b</code>"),
        ("<b>[x](javascript:alert(1))</b>", "&lt;b&gt;[x](javascript:alert(1))&lt;/b&gt;"),
        ('[x](https://a.test/"onclick="y)', None),
        ("2 * 3 ** 4, [a] (b)", "2 * 3 ** 4, [a] (b)"),
    ],
)
def test_descriptions_show_their_links_and_nothing_of_html(text: str, shown: str | None) -> None:
    if shown is None:
        assert '"onclick' not in described(text)
    else:
        assert described(text) == shown
