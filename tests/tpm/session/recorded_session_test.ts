import assert from "node:assert/strict";
import {
  type Session,
  SessionError,
  type SessionExchange,
} from "../../../tpm/authorization.ts";
import { Tpm } from "../../../tpm/client.ts";
import type { Bytes } from "../../../tpm/codec/buffer.ts";
import { decode } from "../../../tpm/codec/codec.ts";
import type { Command } from "../../../tpm/commands/command.ts";
import {
  type AuthorizedEntity,
  type Entity,
  withSession,
} from "../../../tpm/entity.ts";
import { TpmError } from "../../../tpm/error.ts";
import { AuthSession, sessionKey } from "../../../tpm/session/auth_session.ts";
import { kdfe } from "../../../tpm/session/kdf.ts";
import { TPMS_ECC_POINT } from "../../../tpm/spec/public.ts";
import { TPMA_SESSION } from "../../../tpm/spec/session.ts";
import { replay } from "../../../tpm/transport/replay.ts";
import { commandOf } from "../all_commands.ts";
import {
  type Fields,
  type RecordedExchange,
  recording,
  takeCommand,
  takeResponse,
} from "../transcript.ts";

const RECORDING = recording("lab-a-21-hmac-session-vectors.jsonl");
const STARTS = RECORDING.filter(({ extra }) => "session_hash" in extra);
const USES = RECORDING.filter(({ extra }) => "command_hmac_hex" in extra);
const ANSWERED = USES.filter(({ extra }) => "response_hmac_hex" in extra);

function hex(fields: Fields, name: string): Bytes {
  const text = fields[name];
  assert.ok(typeof text === "string", `no ${name}`);
  return Uint8Array.fromHex(text);
}

Deno.test("the recording has all its sessions", () => {
  assert.equal(STARTS.length, 3);
  assert.equal(USES.length, 9);
  assert.equal(ANSWERED.length, 8);
});

Deno.test("sessionKey() derives what the TPM does", async (t) => {
  for (const { name, extra } of STARTS) {
    await t.step(name, () => {
      assert.equal(extra["session_hash"], "sha256");
      const secrets = Uint8Array.of(
        ...hex(extra, "bind_auth_hex"),
        ...hex(extra, "salt_hex"),
      );
      const key = sessionKey("sha256", secrets, {
        tpm: hex(extra, "nonce_tpm_hex"),
        caller: hex(extra, "nonce_caller_hex"),
      });
      assert.equal(key.toHex(), extra["session_key_hex"]);
    });
  }
});

Deno.test("sessionKey() is empty without a secret", () => {
  const nonce = new Uint8Array(16);
  const key = sessionKey("sha256", new Uint8Array(0), {
    tpm: nonce,
    caller: nonce,
  });
  assert.equal(key.length, 0);
});

Deno.test("kdfe() derives the salt of an ECC key's session", () => {
  const start = STARTS.find(({ extra }) => "ecdh_z_hex" in extra);
  assert.ok(start);
  const input = takeCommand(start.command).input as Fields;
  const { encryptedSalt } = input;
  assert.ok(encryptedSalt instanceof Uint8Array);
  const salt = kdfe(hex(start.extra, "ecdh_z_hex"), {
    hash: "sha256",
    label: "SECRET",
    contextU: decode(TPMS_ECC_POINT, encryptedSalt).x,
    contextV: hex(start.extra, "ek_x_hex"),
    bits: 256,
  });
  assert.equal(salt.toHex(), start.extra["salt_hex"]);
});

/** A session with what it was asked to prove and to check. */
interface WatchedSession extends Session {
  readonly inner: AuthSession;
  readonly cpHashes: Bytes[];
  readonly rpHashes: Bytes[];
}

function watched(inner: AuthSession): WatchedSession {
  const cpHashes: Bytes[] = [];
  const rpHashes: Bytes[] = [];
  return {
    inner,
    cpHashes,
    rpHashes,
    handle: inner.handle,
    hash: inner.hash,
    attributes: inner.attributes,
    get nonceTpm(): Bytes {
      return inner.nonceTpm;
    },
    begin(authValue): SessionExchange {
      const exchange = inner.begin(authValue);
      return {
        ...exchange,
        authorize(cpHash, others) {
          cpHashes.push(cpHash);
          return exchange.authorize(cpHash, others);
        },
        verify(rpHash, answer): void {
          rpHashes.push(rpHash);
          exchange.verify(rpHash, answer);
        },
      };
    },
  };
}

/** The session just as it was before the recorded command. */
function sessionBefore({ extra }: RecordedExchange): WatchedSession {
  return watched(
    new AuthSession({
      handle: Number(`0x${extra["session_handle"]}`),
      type: "hmac",
      hash: "sha256",
      nonceTpm: hex(extra, "nonce_tpm_old_hex"),
      sessionKey: hex(extra, "session_key_hex"),
      symmetric: { algorithm: "aes", keyBits: 128, mode: "cfb" },
      attributes: decode(TPMA_SESSION, hex(extra, "session_attributes")),
      random: () => hex(extra, "nonce_caller_hex"),
    }),
  );
}

/** What the recorded command was given: its parameters before encryption. */
function inputOf(
  exchange: RecordedExchange,
  session: WatchedSession,
): { readonly input: object; readonly further: readonly Session[] } {
  const { frame } = takeCommand(exchange.command);
  const command = commandOf(frame.code) as Command<object, unknown>;
  const { extra } = exchange;
  const plain = "plain_params_hex" in extra
    ? hex(extra, "plain_params_hex")
    : frame.parameters;
  const names = extra["names_hex"] as readonly string[];
  const entities = command.handles.map(([field, kind], at) => {
    const entity: Entity = {
      handle: frame.handles[at] ?? 0,
      name: Uint8Array.fromHex(names[at] ?? ""),
    };
    const auth: AuthorizedEntity = withSession(
      entity,
      session,
      hex(extra, "auth_value_hex"),
    );
    return [field, kind === "auth" ? auth : entity];
  });
  const isAuthorizing = command.handles.some(([, kind]) => kind === "auth");
  return {
    input: {
      ...decode(command.parameters, plain),
      ...Object.fromEntries(entities),
    },
    further: isAuthorizing ? [] : [session],
  };
}

/** Sends the recorded command anew and takes `response` for its answer. */
async function execute(
  exchange: RecordedExchange,
  session: WatchedSession,
  response: Uint8Array = exchange.response,
): Promise<Fields> {
  const { frame: { code } } = takeCommand(exchange.command);
  const { input, further } = inputOf(exchange, session);
  await using tpm = new Tpm(replay([{
    command: exchange.command.toHex(),
    response: response.toHex(),
  }]));
  const command = commandOf(code) as Command<object, Fields>;
  return await tpm.execute(command, input, further);
}

Deno.test("every recorded command with a session is sent byte for byte", async (t) => {
  for (const exchange of ANSWERED) {
    await t.step(exchange.name, async () => {
      const { extra } = exchange;
      const session = sessionBefore(exchange);
      const output = await execute(exchange, session);
      const hexes = (all: readonly Bytes[]): string[] =>
        all.map((hash) => hash.toHex());
      assert.deepEqual(hexes(session.cpHashes), [extra["cp_hash_hex"]]);
      assert.deepEqual(hexes(session.rpHashes), [extra["rp_hash_hex"]]);
      assert.equal(session.nonceTpm.toHex(), extra["nonce_tpm_new_hex"]);
      const plain = extra["plain_first_response_param_hex"];
      if (plain !== undefined) {
        const [first] = Object.values(output);
        assert.ok(first instanceof Uint8Array);
        assert.equal(first.toHex(), plain);
      }
    });
  }
});

Deno.test("a refused command leaves the session as it was", async () => {
  const refused = USES.find((exchange) => !ANSWERED.includes(exchange));
  assert.ok(refused);
  const session = sessionBefore(refused);
  await assert.rejects(execute(refused, session), (error) => {
    assert.ok(error instanceof TpmError);
    assert.equal(error.is("TPM_RC_AUTH_FAIL"), true);
    assert.deepEqual(error.code.subject, { kind: "session", number: 1 });
    return true;
  });
  assert.equal(session.nonceTpm.toHex(), refused.extra["nonce_tpm_old_hex"]);
  assert.equal(session.inner.isOpen, true);
});

Deno.test("any change of an answer under a session is found", async (t) => {
  for (const exchange of ANSWERED) {
    const { frame } = takeCommand(exchange.command);
    const taken = takeResponse(exchange.response, {
      code: frame.code,
      sessions: 1,
    });
    const [answer] = taken.frame.authorizations;
    assert.ok(answer);
    const end = exchange.response.length;
    const attributesAt = end - answer.hmac.length - 3;
    const places = {
      "the HMAC": end - 1,
      "the nonce": attributesAt - 1,
      "the attributes": attributesAt,
      // Where there is one parameter at least, its last byte.
      "a parameter": attributesAt - answer.nonce.length - 3,
    };
    for (const [what, at] of Object.entries(places)) {
      await t.step(`${exchange.name}: ${what}`, async () => {
        const session = sessionBefore(exchange);
        const changed = exchange.response.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        await assert.rejects(
          execute(exchange, session, changed),
          SessionError,
        );
        assert.equal(
          session.nonceTpm.toHex(),
          exchange.extra["nonce_tpm_old_hex"],
        );
        assert.equal(session.inner.isOpen, true);
      });
    }
  }
});
