// Takes webhooks of each profile and believes only genuine ones. It needs nothing but Node.js (18 or newer): copy the
// part for your provider. The variables in `routes` say what it knows.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const maxBody = 2 << 20; // bytes; more is refused unread
const tolerance = 5 * 60; // seconds that a delivery's time may be from ours

class NotGenuine extends Error {}

const sha256 = (content) => createHash("sha256").update(content).digest();
const hmac = (key, content) => createHmac("sha256", key).update(content).digest();

// Takes as long for a good guess as for a bad one; the digests make the lengths equal. A secret that is empty equals
// nothing.
function equal(given, want) {
  return Boolean(want) && timingSafeEqual(sha256(given ?? ""), sha256(want));
}

// Refuses what was sent long ago: somebody may have recorded it. Each attempt has a time of its own.
function checkTime(headers) {
  const at = Number(headers["webhook-timestamp"] ?? NaN);
  if (!(Math.abs(Date.now() / 1000 - at) <= tolerance)) throw new NotGenuine();
}

// Each of these returns what a delivery is known by, so that a repeat is handled once, or throws.

// Standard Webhooks: HMAC-SHA256 over "id.timestamp.body" with the key behind whsec_. Signatures of other versions, and
// of another secret while one is rotated, stand beside ours.
function standard(secret, headers, body) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const id = headers["webhook-id"];
  const content = Buffer.concat([Buffer.from(`${id}.${headers["webhook-timestamp"]}.`), body]);
  const want = `v1,${hmac(key, content).toString("base64")}`;
  const given = (headers["webhook-signature"] ?? "").split(" ");
  if (key.length === 0 || !given.some((one) => equal(one, want))) throw new NotGenuine();
  checkTime(headers);
  return id;
}

// "v1=<HEX>[,v1=<HEX>]": HMAC-SHA256 over the raw body, keyed with the secret's text. The signature covers neither
// webhook-id nor webhook-timestamp: what knows a repeat, whoever sends it, is the body.
function bridge(secret, headers, body) {
  const want = `v1=${hmac(secret, body).toString("hex").toUpperCase()}`;
  if (!(headers["bridgeapi-signature"] ?? "").split(",").some((one) => equal(one, want))) throw new NotGenuine();
  checkTime(headers);
  return sha256(body).toString("hex");
}

// The security key that you gave. It says who sends; that the body is theirs too rests on TLS alone.
function alviere(key, headers, body) {
  if (!equal(headers["alviere-auth"], key)) throw new NotGenuine();
  return JSON.parse(body).event_uuid;
}

// A header that you set yourself when you created the webhook. Here too the body rests on TLS.
function thredd(token, headers, body) {
  if (!equal(headers["x-webhook-token"], token)) throw new NotGenuine();
  checkTime(headers);
  return JSON.parse(body).notificationId;
}

// The end of the URL, which only you and the sender know: aria and viva send nothing else that proves them. Keep it out
// of your logs.
function byPath(secret, headers, body, path) {
  if (!equal(path, secret)) throw new NotGenuine();
  checkTime(headers);
  return headers["webhook-id"];
}

const env = process.env;
const routes = new Map([
  ["standard", [standard, env.STANDARD_SECRET]],
  ["bridge", [bridge, env.BRIDGE_SECRET]],
  ["alviere", [alviere, env.ALVIERE_KEY]],
  ["thredd", [thredd, env.THREDD_TOKEN]],
  ["aria", [byPath, env.ARIA_PATH]],
  ["viva", [byPath, env.VIVA_PATH]],
]);

// The bytes as they came: parse after, not before. null = too many.
async function read(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > maxBody) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

// A real receiver keeps these in its database, in the transaction that handles the event.
const seen = new Set();

async function take(request) {
  const [, profile, path = ""] = request.url.split("/");
  const [verify, secret] = routes.get(profile) ?? [];
  if (!secret) return [404]; // without a secret there is no route
  if (request.method === "GET" && profile === "viva" && equal(path, secret)) {
    return [200, JSON.stringify({ Key: env.VIVA_KEY })]; // the key that verifies the URL
  }
  if (request.method !== "POST") return [404];
  const body = await read(request);
  if (body === null) return [413];
  let id;
  try {
    id = verify(secret, request.headers, body, path);
  } catch {
    return [401]; // without saying why
  }
  if (!seen.has(`${profile} ${id}`)) {
    seen.add(`${profile} ${id}`);
    console.log("handled", profile, id); // what takes long belongs in a queue: answer within seconds
  }
  return [200];
}

const server = createServer(async (request, response) => {
  try {
    const [status, body = ""] = await take(request);
    response.writeHead(status, { "Content-Type": "application/json", ...(status === 200 ? {} : { Connection: "close" }) });
    response.end(body);
  } catch {
    response.destroy(); // the sender went away
  }
});
server.requestTimeout = 30_000;
server.listen(Number(env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
