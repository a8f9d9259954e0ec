import { events } from "./sse";

async function all(...chunks: string[]) {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
      controller.close();
    },
  });
  const found: unknown[] = [];
  for await (const event of events(new Response(body))) found.push(event);
  return found;
}

test("events are read wherever the network cuts them", async () => {
  expect(await all('data: {"a"', ":1}\n", '\ndata: {"b":"ü', '"}\r\n\r\n')).toEqual([{ a: 1 }, { b: "ü" }]);
});

test("comments are not events, and the last event needs no blank line", async () => {
  expect(await all(': ping\n\ndata: {"a":1}\n\n', 'data: {"b":2}')).toEqual([{ a: 1 }, { b: 2 }]);
});
