#!/usr/bin/env python3
"""Asks a running server about the retail sample and prints the answers for people.

  retail_report.py --url http://127.0.0.1:8080

Waits for the read models to have seen everything that was in the log when it began.
"""

import signal

# `… | head` and Ctrl-C end it without a word; said before the longer imports.
if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

CUSTOMER = "12748"
ORDER = "536365"


class Server:
    def __init__(self, url):
        self.url = url.rstrip("/")
        # By no proxy: to it, loopback is another machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        head = self.get("/v1/events", direction="backward", limit=1)["items"]
        self.position = head[0]["position"] if head else 0

    def get(self, path, **parameters):
        with self.opener.open(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}",
                              timeout=40) as answer:
            return json.load(answer)

    def ask(self, query, **parameters):
        shown = urllib.parse.urlencode(parameters)
        title = f"GET {self.url}/v1/queries/{query}?{shown}"
        answer = self.get(f"/v1/queries/{query}", min_position=self.position, wait_ms=30000,
                          **parameters)
        return title, answer["data"]


def pounds(pence):
    return f"£{pence / 100:,.2f}"


def moment(text):
    return text.replace("T", " ").rstrip("Z")[:19]


def heading(text, source):
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}   {source}")


def what_happened(event):
    data = event["data"]
    match event["type"]:
        case "sales.order_placed":
            who = f"customer {data['customer']}" if data["customer"] else "an unknown customer"
            return f"{who} from {data['country']} ordered {len(data['lines'])} products"
        case "sales.order_shipped":
            tracking = data.get("tracking")
            return f"handed to {data['carrier']}" + (f", tracking {tracking}" if tracking else "")
        case "sales.order_cancelled":
            return f"because: {data['reason']}"
        case _:
            return json.dumps(data)


def report(server):
    source, products = server.ask("sales.top_products", limit=10)
    heading("Best-selling products", source)
    for each in products:
        print(f"  {each['units']:>7,} units {pounds(each['revenue_minor']):>12}   "
              f"{each['sku']:<8} {each['description']}")

    source, customer = server.ask("sales.customer", id=CUSTOMER)
    heading(f"Customer {CUSTOMER}", source)
    print(f"  {customer['orders']} orders, {customer['cancelled']} of them cancelled, "
          f"{pounds(customer['revenue_minor'])} without those")

    source, order = server.ask("sales.order", id=ORDER)
    heading(f"Order {ORDER}", source)
    print(f"  {order['status']}, placed {moment(order['placed_at'])}, "
          f"{order['units']} units, {pounds(order['total_minor'])}")
    for line in order["lines"]:
        print(f"  {line['quantity']:>7} × {pounds(line['unit_price_minor']):<8} "
              f"{line['sku']:<8} {line['description']}")

    path = f"/v1/streams/sales.order-{ORDER}/events"
    heading("Its events", f"GET {server.url}{path}")
    for event in server.get(path)["items"]:
        print(f"  version {event['version']}, position {event['position']:<5}  "
              f"{moment(event['recorded_at'])}  {event['type']:<22} {what_happened(event)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    asked = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        report(Server(asked.url))
    except urllib.error.HTTPError as refused:
        sys.exit(f"retail_report: {refused.url}: {refused.code}: "
                 f"{refused.read().decode(errors='replace')}")
    except (OSError, ValueError) as failed:
        sys.exit(f"retail_report: {asked.url}: {getattr(failed, 'reason', failed)}")


if __name__ == "__main__":
    main()
