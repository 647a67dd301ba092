// Runs against a real Posthorn: POSTHORN_URL and POSTHORN_KEY, an operator's key. TestTheTypeScriptClient in the
// repository's root starts one and runs this.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { posthorn, PosthornError, publish, type Posthorn } from "../src/index.js";

const url = process.env["POSTHORN_URL"] ?? "";
const client = posthorn(url, process.env["POSTHORN_KEY"] ?? "");

/** A receiver that resolves to the first request that it gets. */
async function receiver() {
  let arrived: (delivery: { headers: IncomingHttpHeaders; body: string }) => void;
  const delivery = new Promise<{ headers: IncomingHttpHeaders; body: string }>((resolve) => (arrived = resolve));
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    response.end();
    arrived({ headers: request.headers, body: Buffer.concat(parts).toString() });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${port}/hook`, delivery, close: () => server.closeAllConnections() ?? server.close() };
}

async function application(of: Posthorn) {
  const { data } = await of.POST("/v1/applications", { body: { name: "TypeScript", profile: "standard" } });
  return data!;
}

test("what is published arrives byte for byte, signed", async () => {
  const hook = await receiver();
  try {
    const app = await application(client);
    const { data: subscription } = await client.POST("/v1/applications/{app}/subscriptions", {
      params: { path: { app: app.id } },
      body: { url: hook.url, event_types: ["invoice.*"] },
    });
    const payload = `{"amount": 100.50, "id":9007199254740993}`;
    const accepted = await publish(client, app.id, { type: "invoice.paid", idempotency_key: "once" }, payload);
    const { headers, body } = await hook.delivery;
    assert.equal(body, payload);
    assert.equal(headers["webhook-id"], accepted.id);
    const key = Buffer.from(subscription!.secret!.replace("whsec_", ""), "base64");
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const want = `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
    assert.ok(String(headers["webhook-signature"]).split(" ").includes(want));

    const again = await publish(client, app.id, { type: "invoice.paid", idempotency_key: "once" }, payload);
    assert.deepEqual([again.duplicate, again.id], [true, accepted.id]);
    const invocation = accepted.invocations[0]!;
    for (;;) {
      const { data } = await client.GET("/v1/invocations/{id}", { params: { path: { id: invocation.id } } });
      if (data!.status === "succeeded") break;
      assert.ok(["pending", "retrying"].includes(data!.status), data!.status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { data: page } = await client.GET("/v1/applications/{app}/invocations", {
      params: { path: { app: app.id }, query: { status: "succeeded", limit: 10 } },
    });
    assert.deepEqual(page!.items.map((item) => item.id), [invocation.id]);
  } finally {
    hook.close();
  }
});

test("an answer that is an error is thrown", async () => {
  const app = await application(client);
  await assert.rejects(
    client.POST("/v1/applications/{app}/subscriptions", {
      params: { path: { app: app.id } },
      body: { url: "ftp://example.com", event_types: ["*"] },
    }),
    (error: unknown) => {
      assert.ok(error instanceof PosthornError);
      assert.deepEqual([error.status, error.code], [422, "validation_failed"]);
      assert.match(error.message, /^422 validation_failed: .*url/);
      return true;
    },
  );
  await assert.rejects(application(posthorn(url, "ph_wrong")), { status: 401, code: "unauthenticated" });
  await assert.rejects(publish(client, app.id, { type: "a" }, `1},"type":"b"`), SyntaxError);
});
