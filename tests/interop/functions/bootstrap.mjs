// Runs AWS's runtime client for Node on a handler: `node bootstrap.mjs FOLDER MODULE.FUNCTION`, with NODE_PATH at the
// modules. Its native part, which only fetches events and delivers buffered results, would have to be compiled by an
// install script, and no script of a package runs here: these few lines do its work. Streaming is the client's own.

import { createRequire } from "node:module"
import http from "node:http"
import Module from "node:module"
import path from "node:path"
import { pathToFileURL } from "node:url"

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":")
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

function call(method, step, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const target = { host, port, agent, method, path: `/2018-06-01/runtime/${step}`, headers }
    const request = http.request(target, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk) => (text += chunk))
      response.on("end", () => resolve({ text, headers: response.headers }))
    })
    request.on("error", reject)
    request.end(body)
  })
}

let delivered = Promise.resolve()

const native = {
  initializeClient() {},
  async next() {
    await delivered
    const { text, headers } = await call("GET", "invocation/next")
    return { bodyJson: text, headers }
  },
  done(id, body) {
    delivered = call("POST", `invocation/${id}/response`, body, { "content-type": "application/json" })
  },
  error(id, body) {
    delivered = call("POST", `invocation/${id}/error`, body, { "content-type": "application/json" })
  },
}

const load = Module._load
Module._load = function (request, ...rest) {
  return request.endsWith("rapid-client.node") ? native : load.call(this, request, ...rest)
}

const [folder, handler] = process.argv.slice(2)
const client = createRequire(path.join(process.env.NODE_PATH, "x")).resolve("aws-lambda-ric/package.json")
const { run } = await import(pathToFileURL(path.join(path.dirname(client), "dist", "index.mjs")))
await run(folder, handler)
