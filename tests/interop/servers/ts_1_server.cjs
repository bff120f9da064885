// A server on `@modelcontextprotocol/sdk` 1.x in one of its three shapes, wired as the package's own examples are;
// prints its port when it listens.

const { randomUUID } = require('node:crypto');
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { SSEServerTransport } = require('@modelcontextprotocol/sdk/server/sse.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { createMcpExpressApp } = require('@modelcontextprotocol/sdk/server/express.js');
const { isInitializeRequest } = require('@modelcontextprotocol/sdk/types.js');
const { z } = require('zod');

function build() {
  const server = new McpServer({ name: 'interop', version: '1.0.0' });
  const inputSchema = { a: z.number().int(), b: z.number().int() };
  server.registerTool('add', { description: 'Add two numbers.', inputSchema }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  return server;
}

function refused(response, status, message) {
  response.status(status).json({ jsonrpc: '2.0', error: { code: -32000, message }, id: null });
}

function stateful(app) {
  const transports = {};
  const ofSession = async (request, response) => {
    const transport = transports[request.headers['mcp-session-id']];
    if (!transport) return void response.status(400).send('Invalid or missing session ID');
    await transport.handleRequest(request, response);
  };
  app.post('/mcp', async (request, response) => {
    const id = request.headers['mcp-session-id'];
    if (id && transports[id]) return void (await transports[id].handleRequest(request, response, request.body));
    if (id || !isInitializeRequest(request.body)) {
      return void refused(response, 400, 'Bad Request: No valid session ID provided');
    }
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (opened) => { transports[opened] = transport; },
    });
    transport.onclose = () => { delete transports[transport.sessionId]; };
    await build().connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  app.get('/mcp', ofSession);
  app.delete('/mcp', ofSession);
}

function stateless(app) {
  app.post('/mcp', async (request, response) => {
    const server = build();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => { transport.close(); server.close(); });
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  const unsupported = (request, response) => refused(response, 405, 'Method not allowed.');
  app.get('/mcp', unsupported);
  app.delete('/mcp', unsupported);
}

function sse(app) {
  const transports = {};
  app.get('/sse', async (request, response) => {
    const transport = new SSEServerTransport('/messages', response);
    transports[transport.sessionId] = transport;
    response.on('close', () => { delete transports[transport.sessionId]; });
    await build().connect(transport);
  });
  app.post('/messages', async (request, response) => {
    const transport = transports[request.query.sessionId];
    if (!transport) return void response.status(400).send('No transport found for sessionId');
    await transport.handlePostMessage(request, response, request.body);
  });
}

const app = createMcpExpressApp();
({ stateful, stateless, sse })[process.argv[2]](app);
const listener = app.listen(0, '127.0.0.1', () => console.log(listener.address().port));
