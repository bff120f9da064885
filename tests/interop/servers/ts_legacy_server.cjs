// A server on `@modelcontextprotocol/server` 2.x over the HTTP+SSE transport of `@modelcontextprotocol/server-legacy`;
// prints its port when it listens.

const { createServer } = require('node:http');
const { McpServer } = require('@modelcontextprotocol/server');
const { SSEServerTransport } = require('@modelcontextprotocol/server-legacy/sse');
const { z } = require('zod');

function build() {
  const server = new McpServer({ name: 'interop', version: '1.0.0' });
  const inputSchema = z.object({ a: z.number().int(), b: z.number().int() });
  server.registerTool('add', { description: 'Add two numbers.', inputSchema }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  return server;
}

const transports = {};
const listener = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (request.method === 'GET' && url.pathname === '/sse') {
    const transport = new SSEServerTransport('/messages', response);
    transports[transport.sessionId] = transport;
    response.on('close', () => { delete transports[transport.sessionId]; });
    return void (await build().connect(transport));
  }
  const transport = transports[url.searchParams.get('sessionId')];
  if (request.method === 'POST' && url.pathname === '/messages' && transport) {
    return void (await transport.handlePostMessage(request, response));
  }
  response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not Found');
});
listener.listen(0, '127.0.0.1', () => console.log(listener.address().port));
