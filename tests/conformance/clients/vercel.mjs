// Vercel's AI SDK with its three clients: text, a stream, usage, a tool and an object that follows a schema.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createOpenAI } from '@ai-sdk/openai';
import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText, generateObject, streamText, tool, jsonSchema } from 'ai';

const baseURL = `${process.env.GW}/v1`;
const apiKey = process.env.GWKEY;
const clients = {
  'chat completions': createOpenAICompatible({ name: 'gw', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true }),
  responses: createOpenAI({ baseURL, apiKey }),
  messages: createAnthropic({ baseURL, apiKey }),
};
const schema = jsonSchema({ type: 'object', properties: { word: { type: 'string' } }, required: ['word'], additionalProperties: false });
const lookup = tool({ description: 'look a word up', inputSchema: schema });
const text = "This is the mock's answer.";

function must(holds, told) {
  if (!holds) throw new Error(told);
}

const checks = {
  async text(model) {
    const found = await generateText({ model, prompt: 'hi' });
    must(found.text === text, found.text);
    must(found.usage.inputTokens === 12 && found.usage.outputTokens === 8, JSON.stringify(found.usage));
  },
  async stream(model) {
    const stream = streamText({ model, prompt: 'hi' });
    let said = '';
    for await (const piece of stream.textStream) said += piece;
    must(said === text, said);
    const used = await stream.usage;
    must(used.inputTokens === 12 && used.outputTokens === 8, JSON.stringify(used));
  },
  async tool(model) {
    const found = await generateText({ model, prompt: 'hi', tools: { lookup }, toolChoice: 'required' });
    must(found.finishReason === 'tool-calls', found.finishReason);
    must(found.toolCalls[0].input.word === 'ice', JSON.stringify(found.toolCalls));
  },
  async 'streamed tool'(model) {
    const stream = streamText({ model, prompt: 'hi', tools: { lookup }, toolChoice: 'required' });
    const calls = await stream.toolCalls;
    must(calls[0].input.word === 'ice', JSON.stringify(calls));
  },
  async object(model) {
    const found = await generateObject({ model, prompt: 'hi', schema });
    must(found.object.word === 'ice', JSON.stringify(found.object));
  },
};

const results = [];
for (const [area, client] of Object.entries(clients)) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(client(process.env.GWMODEL));
      results.push({ area, name, passed: true });
    } catch (error) {
      results.push({ area, name, passed: false, why: String(error.message).slice(0, 200) });
    }
  }
}
console.log(JSON.stringify(results));
