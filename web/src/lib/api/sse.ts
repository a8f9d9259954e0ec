/** Reads a `text/event-stream` response as JSON events, whatever way the network cuts it into pieces. */

export async function* events(response: Response): AsyncGenerator {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += (value ?? "").replaceAll("\r", "");
      const whole = rest.split("\n\n");
      rest = done ? "" : (whole.pop() ?? "");
      for (const event of whole) {
        const data = event
          .split("\n")
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).trimStart())
          .join("\n");
        if (data) yield JSON.parse(data) as unknown;
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
