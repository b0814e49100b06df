import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RegistrarClient } from "../../agent/registrar_client.ts";
import { describe } from "../../log/log.ts";
import { type Identity, P256, Pki } from "../api/support/pki.ts";
import { FakeRegistrar } from "./support/fake_registrar.ts";

const NEVER = new AbortController().signal;
const VERSION = { method: "GET", path: "/version" } as const;

/** A registrar behind TLS, with that certificate. */
function tlsRegistrar(identity: Identity): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: identity.certificate,
    key: identity.key,
    onListen: () => {},
  }, () => Response.json({ code: 200, status: "Success", results: {} }));
}

/** Asks 127.0.0.1 in a process that trusts `systemRoot` like a public CA. */
async function askInChild(
  port: number,
  files: { readonly ca: string; readonly systemRoot: string },
): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--cached-only", "--allow-net=127.0.0.1"],
      ...["--allow-read", "--allow-env"],
      fileURLToPath(new URL("support/ask_registrar.ts", import.meta.url)),
      ...[String(port), files.ca],
    ],
    env: { DENO_CERT: files.systemRoot, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

Deno.test("RegistrarClient trusts the configured authority and no other", async (t) => {
  await using pki = await Pki.create();
  const [ours, other] = [
    await pki.selfSigned("/CN=our authority", P256),
    await pki.selfSigned("/CN=another authority", P256),
  ];
  const forLoopback = (subject: string): Parameters<Pki["issue"]>[1] => ({
    subject,
    extensions: "subjectAltName=IP:127.0.0.1",
    keyArguments: P256,
  });
  const good = await pki.issue(ours, forLoopback("/CN=registrar"));
  const ask = async (identity: Identity, ca: string): Promise<number> => {
    await using server = tlsRegistrar(identity);
    const { port } = server.addr;
    const client = new RegistrarClient({ ip: "127.0.0.1", port, ca });
    return (await client.send(VERSION, NEVER)).status;
  };
  const refusesLike = async (
    asking: Promise<unknown>,
    want: RegExp,
  ): Promise<void> => {
    await assert.rejects(asking, (error) => {
      assert.match(describe(error), want);
      return true;
    });
  };

  await t.step("its certificate", async () => {
    assert.equal(await ask(good, ours.certificate), 200);
  });
  await t.step("one of two authorities in the file", async () => {
    const both = other.certificate + ours.certificate;
    assert.equal(await ask(good, both), 200);
  });
  await t.step("not another authority's", async () => {
    await refusesLike(ask(good, other.certificate), /^Network error.*verif/);
  });
  await t.step("not a certificate for another host", async () => {
    const elsewhere = await pki.issue(ours, {
      subject: "/CN=registrar",
      extensions: "subjectAltName=DNS:registrar.example",
      keyArguments: P256,
    });
    await refusesLike(ask(elsewhere, ours.certificate), /^Network error/);
  });
  await t.step("not an expired certificate", async () => {
    const expired = await pki.issue(ours, {
      ...forLoopback("/CN=registrar"),
      expired: true,
    });
    await refusesLike(ask(expired, ours.certificate), /^Network error/);
  });
  await t.step("not a system root's", async () => {
    await using server = tlsRegistrar(good);
    const { port } = server.addr;
    const files = {
      ca: other.certificatePath,
      systemRoot: ours.certificatePath,
    };
    assert.match(await askInChild(port, files), /^refused: Network error/);
    const right = { ...files, ca: ours.certificatePath };
    assert.equal(await askInChild(port, right), "answered 200\n");
  });
  await t.step("not plain text", async () => {
    await using registrar = FakeRegistrar.start();
    const client = new RegistrarClient({
      ip: "127.0.0.1",
      port: registrar.port,
      ca: ours.certificate,
    });
    await refusesLike(client.send(VERSION, NEVER), /^Network error/);
    assert.deepEqual(registrar.asked, []);
  });
});
