// A client of Posthorn's API. Paths, parameters and answers are typed by schema.ts, which openapi-typescript generates
// from clients/openapi.json (`make clients`); requests are sent by openapi-fetch. Written by hand are what the document
// cannot say: credentials, errors as exceptions, and payloads byte for byte.
import createClient, { type Client, type ClientOptions, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

/** The document's schemas, by name: Schemas["Invocation"]. */
export type Schemas = components["schemas"];
export type Posthorn = Client<paths>;

/** An answer that says what was wrong (RFC 9457). */
export class PosthornError extends Error {
  override readonly name = "PosthornError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The answer's body; undefined where it came from something between, such as a proxy. */
    readonly problem: Schemas["Problem"] | undefined,
    /** Seconds to wait before asking again; undefined where the answer does not say. */
    readonly retryAfter: number | undefined,
  ) {
    const faults = problem?.errors.map((fault) => `${fault.location} ${fault.message}`.trim()) ?? [];
    super([`${status} ${problem?.code ?? ""}`.trim(), ...(problem ? [problem.detail] : []), ...faults].join(": "));
  }

  /** A stable word for programs, such as "not_found"; "" where the answer is not Posthorn's. */
  get code(): string {
    return this.problem?.code ?? "";
  }
}

/**
 * A client of the Posthorn at baseUrl, such as http://127.0.0.1:8080, that shows the key with each request. Its methods
 * resolve to {data}; an answer that is an error rejects with a PosthornError.
 */
export function posthorn(baseUrl: string, key: string, options: Omit<ClientOptions, "baseUrl"> = {}): Posthorn {
  if (key === "") throw new Error("posthorn: no API key");
  const client = createClient<paths>({ ...options, baseUrl });
  client.use(credentials(key));
  return client;
}

function credentials(key: string): Middleware {
  return {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${key}`);
      return request;
    },
    async onResponse({ response }) {
      if (response.ok) return undefined;
      const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
      throw new PosthornError(response.status, await problemOf(response), Number.isNaN(wait) ? undefined : wait);
    },
  };
}

async function problemOf(response: Response): Promise<Schemas["Problem"] | undefined> {
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) return undefined;
  return (await response.json()) as Schemas["Problem"];
}

/**
 * Publishes an event whose payload is JSON text, which reaches receivers byte for byte. A payload that is a JavaScript
 * value is written by JSON.stringify, which knows no 100.50 and no 9007199254740993.
 */
export async function publish(
  client: Posthorn,
  application: string,
  event: Omit<Schemas["Publication"], "payload" | "versions">,
  payload: string,
): Promise<Schemas["Accepted"]> {
  JSON.parse(payload); // or what follows would be no JSON, or another event
  const { data } = await client.POST("/v1/applications/{app}/events", {
    params: { path: { app: application } },
    body: event,
    bodySerializer: (body) => `${JSON.stringify(body).slice(0, -1)},"payload":${payload}}`,
  });
  if (!data) throw new Error("publish an event: the answer is empty");
  return data;
}
