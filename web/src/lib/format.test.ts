import { bytes, kind, money, readable } from "./format";

test("a sum below a cent does not read as nothing", () => {
  expect(money(1250, "USD")).toBe("$0.0013");
  expect(money(3_420_000, "USD")).toBe("$3.42");
  expect(money(0, "USD")).toBe("$0.00");
});

test("sizes are rounded to what one can say", () => {
  expect([bytes(0), bytes(999), bytes(6687), bytes(12_400_000)]).toEqual(["0 B", "999 B", "6.7 KB", "12 MB"]);
});

test("media types have names", () => {
  expect(kind("text/markdown; charset=utf-8")).toBe("Markdown");
  expect(kind("application/x-unknown")).toBe("File");
});

test("a table's row reads without bars", () => {
  expect(readable("| a | b |")).toBe("a · b");
});
