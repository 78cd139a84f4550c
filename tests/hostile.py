"""Texts that somebody may put into a name, an xp key, a user name or an error message, to reach whoever reads of it."""

from typing import Final

INVISIBLE: Final = (
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",  # a link that looks like text
    "\x1b]0;title\x07",
    "\x9b31m",  # the one-byte form of ESC [
    "a\rb",  # overwrites the line
    "a\nb",
    "\x08\x08\x08",
    "\x7f",
    "\x00",
    "\u202eexe.txt",  # shows the rest backwards
    "\u2066\u2069",
    "ad\u200bmin",  # no width
    "ad\u00admin",
    "ad\ufeffmin",
    "\ufe0f\U000e0041\U000e0100\u034f\u3164\u2800",
    "\u2028\u2029\x85",  # line ends that are not \n
    "a\u00a0b",  # a blank that is none
    "\ud800",
)
COMMANDS: Final = (
    "::set-output name=x::y",
    "  ::add-mask::x",
    "\n::error::x",
    "##[group]x",
    "##[error]x",
    "x ##vso[task.setvariable variable=a]b",
    "##VSO[task.complete]",
    "##teamcity[publishArtifacts '/etc']",
    ":::",
)
MARKUP: Final = (
    "a|b|c",
    "`",
    "a`b``c",
    "```\nx\n```",
    "~~~~~~",
    "</code></summary></details>",
    "</pre><h1>big</h1>",
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg/onload=alert(1)>",
    '"onmouseover="document.title=\'owned\'" x="',
    "'><a href='javascript:alert(1)'>x</a>",
    "</style><style>*{display:none}</style>",
    "--><b>x</b><!--",
    "]]><x/>",
    "@everyone @somebody",
    "[text](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "https://evil.example www.evil.example",
    "<https://evil.example>",
    "mail@evil.example",
    "#1 GH-1 org/repo#1",
    "# heading",
    "- item\n+ item",
    "\\`\\|",
    "&lt;b&gt;&#60;script&#62;",
    "{0} {{x}} ${{ secrets.X }}",
    "%0A::error::x",
    '=HYPERLINK("https://evil.example")',
    "+1+1",
    "@SUM(1)",
)
LONG: Final = "L" * 1_000_000
PAYLOADS: Final = (*INVISIBLE, *COMMANDS, *MARKUP)
