"""What a client of each language needs to send to this house, ready to paste. Pure.

What each client is told and what it insists on is in docs/how-to/clients.md (contract: connections 4.1, 5.1, 5.6).
"""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote, urlencode, urlsplit

import msgspec

TLS_ONLY = "This client speaks https alone: put a proxy that ends TLS before the house, and set collect.public_url."


class Snippet(msgspec.Struct, frozen=True):
    """Lines for one client. `kinds` are the kinds of sources that it is first for; `remark` may be empty."""

    name: str
    code: str
    remark: str = ""
    kinds: tuple[str, ...] = ()


def tracking_address(public_url: str, host: str, scheme: str, port: int) -> str:
    """The tracking API's address: as set, or else on its port of the host by which the browser reached the console."""
    if public_url:
        return public_url
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{port}"


def snippets(address: str, write_key: str) -> list[Snippet]:
    """Lines for every client, with the tracking API's address (no slash at its end) and a write key in them."""
    host = urlsplit(address).netloc
    remark = "" if address.startswith("https:") else TLS_ONLY
    key = json.dumps(write_key)
    return [
        Snippet("Browser", browser_snippet(address, write_key), kinds=("javascript",)),
        Snippet("curl", _CURL.format(address=address, key=shlex.quote(f"{write_key}:")), kinds=("http-api",)),
        Snippet("Node.js", _NODE.format(address=address, key=write_key), kinds=("node.js",)),
        Snippet("Python", _PYTHON.format(address=address, key=key), kinds=("python",)),
        Snippet("Go", _GO.format(address=address, key=key), kinds=("go",)),
        Snippet("Ruby", _RUBY.format(host=bare_host(address), port=port_of(address), key=write_key), remark, ("ruby",)),
        Snippet("PHP", _PHP.format(host=host, key=write_key), remark, ("php",)),
        Snippet("Java", _JAVA.format(address=address, key=key), kinds=("java",)),
        Snippet("Swift", _SWIFT.format(host=host, key=key), remark, ("ios",)),
        Snippet("Kotlin", _KOTLIN.format(host=host, key=key), remark, ("android",)),
        Snippet("React Native", _NATIVE.format(address=address, key=write_key), kinds=("react-native",)),
        Snippet("Pixel", pixel(address, write_key), kinds=("pixel-tracking-api",)),
    ]


def first_for(kind: str, found: list[Snippet]) -> str:
    """The name of the client to show first to a source of a kind."""
    return next((one.name for one in found if kind in one.kinds), "curl")


def bare_host(address: str) -> str:
    """The host of an address without its port."""
    return urlsplit(address).hostname or ""


def port_of(address: str) -> int:
    """The port of an address, as given or by its scheme."""
    parts = urlsplit(address)
    return parts.port or (443 if parts.scheme == "https" else 80)


def pixel(address: str, write_key: str) -> str:
    """An image for e-mails and pages without scripts (1.9)."""
    query = urlencode({"writeKey": write_key, "userId": "ada", "event": "Email Opened"}, quote_via=quote)
    return f'<img src="{address}/v1/pixel/track?{query.replace("&", "&amp;")}" width="1" height="1" alt="">'


def browser_snippet(address: str, write_key: str) -> str:
    """analytics.js for the head of a page, as docs/how-to/browser.md has it (4.1)."""
    return _BROWSER.replace("{{house}}", _in_quotes(address)).replace("{{key}}", _in_quotes(write_key))


def _in_quotes(text: str) -> str:
    """The inside of a JavaScript string in single quotes, which cannot end the script element that it stands in."""
    return json.dumps(text)[1:-1].replace("'", "\\u0027").replace("<", "\\u003c")


_BROWSER = """\
<script>
  (function (name, house, key, options) {
    var queue = (window[name] = window[name] || []);
    if (queue.initialized || queue.invoked) return;
    queue.invoked = true;
    queue._writeKey = key;
    queue._loadOptions = options;
    function describe() {
      var link = document.querySelector("link[rel='canonical']");
      return { __t: 'bpc', c: (link && link.getAttribute('href')) || undefined, p: location.pathname, u: location.href,
        s: location.search, t: document.title, r: document.referrer };
    }
    function wait(method, described) {
      queue[method] = function () {
        var values = Array.prototype.slice.call(arguments);
        if (window[name].initialized) return window[name][method].apply(null, values);
        queue.push([method].concat(values, described ? [describe()] : []));
        return queue;
      };
    }
    'track identify page screen group alias'.split(' ').forEach(function (method) { wait(method, true); });
    ('on once off ready reset debug register setAnonymousId addSourceMiddleware addDestinationMiddleware ' +
      'trackLink trackClick trackForm trackSubmit').split(' ').forEach(function (method) { wait(method, false); });
    var script = document.createElement('script');
    script.async = true;
    script.setAttribute('data-global-segment-analytics-key', name);
    script.src = house + '/analytics.js/v1/' + encodeURIComponent(key) + '/analytics.min.js';
    document.head.appendChild(script);
  })('analytics', '{{house}}', '{{key}}', {});
  analytics.page();
</script>"""
_CURL = """\
curl {address}/v1/track -u {key} \\
  -H 'content-type: application/json' \\
  -d '{{"userId": "ada", "event": "Order Completed", "properties": {{"total": 27.5}}}}'"""
_NODE = """\
import {{ Analytics }} from '@segment/analytics-node'

const analytics = new Analytics({{ writeKey: '{key}', host: '{address}' }})
analytics.track({{ userId: 'ada', event: 'Order Completed', properties: {{ total: 27.5 }} }})
await analytics.closeAndFlush()"""
_PYTHON = """\
from segment.analytics.client import Client

analytics = Client({key}, host="{address}")
analytics.track("ada", "Order Completed", {{"total": 27.5}})
analytics.shutdown()"""
_GO = """\
client, err := analytics.NewWithConfig({key}, analytics.Config{{
    Endpoint: "{address}",
}})
if err != nil {{
    log.Fatal(err)
}}
defer client.Close()
client.Enqueue(analytics.Track{{
    UserId: "ada",
    Event: "Order Completed",
    Properties: analytics.NewProperties().Set("total", 27.5),
}})"""
_RUBY = """\
analytics = Segment::Analytics.new(write_key: '{key}', host: '{host}', port: {port})
analytics.track(user_id: 'ada', event: 'Order Completed', properties: {{ total: 27.5 }})
analytics.flush"""
_PHP = """\
Segment\\Segment::init('{key}', ['host' => '{host}']);
Segment\\Segment::track([
    'userId' => 'ada',
    'event' => 'Order Completed',
    'properties' => ['total' => 27.5],
]);
Segment\\Segment::flush();"""
_JAVA = """\
Analytics analytics = Analytics.builder({key})
    .endpoint("{address}")
    .build();
analytics.enqueue(TrackMessage.builder("Order Completed")
    .userId("ada")
    .properties(Map.of("total", 27.5)));
analytics.flush();"""
_SWIFT = """\
let analytics = Analytics(configuration: Configuration(writeKey: {key})
    .apiHost("{host}/v1")
    .cdnHost("{host}/v1"))
analytics.track(name: "Order Completed", properties: ["total": 27.5])"""
_KOTLIN = """\
val analytics = Analytics({key}, applicationContext) {{
    apiHost = "{host}/v1"
    cdnHost = "{host}/v1"
}}
analytics.track("Order Completed", buildJsonObject {{ put("total", 27.5) }})"""
_NATIVE = """\
import {{ createClient }} from '@segment/analytics-react-native'

const analytics = createClient({{
  writeKey: '{key}',
  proxy: '{address}/v1/b',
}})
analytics.track('Order Completed', {{ total: 27.5 }})"""
