// Handlers for AWS's runtime client for Node; the request's path says how they behave.

let served = 0

export const buffered = async (event) => {
  if (event.rawPath === "/fail") throw new TypeError("no such table")
  if (event.rawPath === "/exit") process.exit(3)
  served += 1
  return { statusCode: 201, headers: { "content-type": "application/json" }, body: JSON.stringify({ served }) }
}

export const streaming = awslambda.streamifyResponse(async (event, out) => {
  const head = { statusCode: 202, headers: { "content-type": "text/event-stream" } }
  const stream = awslambda.HttpResponseStream.from(out, head)
  stream.write("first,")
  await new Promise((resolve) => setTimeout(resolve, 400))
  if (event.rawPath === "/fail") throw new TypeError("no such table")
  if (event.rawPath === "/exit") process.exit(3)
  stream.write("last")
  stream.end()
})
