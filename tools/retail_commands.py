#!/usr/bin/env python3
"""Turns the retail sample (plugins/orders/demo/online-retail-sample.csv) into commands, as NDJSON.

  retail_commands.py place     each invoice one command with its own number as id: sales.place_order,
                               or sales.cancel_order when the number starts with C (a cancellation
                               of something that this sample does not have)
  retail_commands.py settle    for the invoices that are accepted, what happens next: every tenth is
                               cancelled, of the others every third is shipped
  retail_commands.py expect    what the server is to answer to both, counted here: JSON

Every command has a command_id that follows from its invoice and type: sent twice, it counts once.
Dirty lines go in as they are; it is the server who refuses them.
"""

import signal

# `… | head` and Ctrl-C end it without a word; said before the longer imports.
if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import collections
import csv
import decimal
import json
import pathlib
import sys
import uuid

SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "plugins/orders/demo/online-retail-sample.csv"
COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
           "Country"]
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "online-retail.demo.flexcore")


def invoices(path):
    """Number → its lines, in the order of the file."""
    found = {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or [])]
        if missing:
            raise ValueError(f"{path} has no column {', '.join(missing)}")
        for row in rows:
            found.setdefault(row["InvoiceNo"], []).append(row)
    return found


def pence(pounds):
    """Exactly, then rounded to a whole penny: "0.001" (there is one) is none."""
    return int((decimal.Decimal(pounds) * 100).to_integral_value(decimal.ROUND_HALF_UP))


def customer(number):
    """"17850.0" → "17850"; "0.0" and nothing are unknown."""
    whole = number.strip().removesuffix(".0")
    return whole if whole not in ("", "0") else None


def command(kind, invoice, data):
    return {
        "type": kind,
        "id": invoice,
        "data": data,
        "command_id": str(uuid.uuid5(NAMESPACE, f"{kind} {invoice}")),
    }


def is_cancellation(invoice):
    return invoice.startswith("C")


def place(invoice, rows):
    if is_cancellation(invoice):
        return command("sales.cancel_order", invoice, {"reason": "cancelled by the customer"})
    first = rows[0]
    return command("sales.place_order", invoice, {
        "customer": customer(first["CustomerID"]),
        "country": first["Country"],
        "placed_at": first["InvoiceDate"].replace(" ", "T") + "Z",
        "currency": "GBP",
        "lines": [
            {
                "sku": row["StockCode"],
                "description": row["Description"].strip(),
                "quantity": int(row["Quantity"]),
                "unit_price_minor": pence(row["UnitPrice"]),
            }
            for row in rows
        ],
    })


def refusal(invoice, rows):
    """The reason for which the server is to refuse the invoice, None when it is to accept it."""
    if is_cancellation(invoice):
        return "order_not_found"
    if any(int(row["Quantity"]) <= 0 for row in rows):
        return "quantity_not_positive"
    if any(pence(row["UnitPrice"]) <= 0 for row in rows):
        return "price_missing"
    return None


def settle(every):
    accepted = [invoice for invoice, rows in every.items() if refusal(invoice, rows) is None]
    for index, invoice in enumerate(accepted):
        if index % 10 == 9:
            yield command("sales.cancel_order", invoice, {"reason": "out of stock"})
        elif index % 3 == 0:
            yield command("sales.ship_order", invoice,
                          {"carrier": "Royal Mail", "tracking": f"RM{invoice}GB"})


def expected(every):
    refused = collections.Counter(refusal(invoice, rows) for invoice, rows in every.items())
    accepted = refused.pop(None)
    then = collections.Counter(each["type"] for each in settle(every))
    return {
        "commands": len(every),
        "accepted": accepted,
        "refused": dict(sorted(refused.items())),
        "then_shipped": then["sales.ship_order"],
        "then_cancelled": then["sales.cancel_order"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["place", "settle", "expect"])
    parser.add_argument("--csv", default=SAMPLE, help="another file of the same columns")
    asked = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        every = invoices(asked.csv)
    except (OSError, ValueError) as wrong:
        sys.exit(f"retail_commands: {wrong}")
    if asked.what == "expect":
        json.dump(expected(every), sys.stdout, indent=2)
        print()
        return
    commands = settle(every) if asked.what == "settle" else (place(*each) for each in every.items())
    for each in commands:
        print(json.dumps(each, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
