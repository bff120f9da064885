// A server on `@modelcontextprotocol/server` 2.x: of both eras, or modern-only; prints its port when it listens.

const { createServer } = require('node:http');
const { localhostHostValidation, toNodeHandler } = require('@modelcontextprotocol/node');
const { McpServer, createMcpHandler } = require('@modelcontextprotocol/server');
const { z } = require('zod');

const SHAPES = { dual: {}, modern: { legacy: 'reject' } };

function build() {
  const server = new McpServer({ name: 'interop', version: '1.0.0' });
  const inputSchema = z.object({ a: z.number().int(), b: z.number().int() });
  server.registerTool('add', { description: 'Add two numbers.', inputSchema }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  return server;
}

const handle = toNodeHandler(createMcpHandler(build, SHAPES[process.argv[2]]));
const isValidHost = localhostHostValidation();
const listener = createServer((request, response) => {
  if (!isValidHost(request, response)) return;
  if (new URL(request.url, 'http://localhost').pathname !== '/mcp') return void response.writeHead(404).end();
  handle(request, response);
});
listener.listen(0, '127.0.0.1', () => console.log(listener.address().port));
