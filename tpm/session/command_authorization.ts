import type {
  Authorization,
  Session,
  SessionExchange,
} from "../authorization.ts";
import type { Bytes } from "../codec/buffer.ts";
import { encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { u32 } from "../codec/scalars.ts";
import type { SomeCommand } from "../commands/command.ts";
import type { ResponseFrame } from "../commands/frame.ts";
import { digest } from "../crypto.ts";
import { type AuthorizedEntity, EMPTY, type Entity } from "../entity.ts";
import { TPM_RS_PW } from "../spec/handles.ts";
import type { AuthCommand } from "../spec/session.ts";

/** One entry of the authorization area: a password, or a session in use. */
type Entry =
  | { readonly kind: "password"; readonly secret: Bytes }
  | {
    readonly kind: "session";
    readonly session: Session;
    readonly exchange: SessionExchange;
  };

function startEntry(authorization: Authorization): Entry {
  if (authorization.kind === "password") return authorization;
  const { session, authValue } = authorization;
  return { kind: "session", session, exchange: session.begin(authValue) };
}

/**
 * Everything that one command has to do with authorization: its area, the
 * encryption of its first parameter, and the same for the response. TPM 2.0
 * Part 1, "Command/Response Structure" and "Session-based Encryption".
 */
export class CommandAuthorization {
  readonly #command: SomeCommand;
  readonly #entries: readonly Entry[];

  /**
   * The authorization of one sending of `command`.
   *
   * @param authorized the entities whose handles want authorization, in order
   * @param further sessions that only encrypt or audit
   */
  constructor(
    command: SomeCommand,
    authorized: readonly AuthorizedEntity[],
    further: readonly Session[],
  ) {
    this.#command = command;
    this.#entries = [
      ...authorized.map(({ authorization }) => startEntry(authorization)),
      ...further.map((session) =>
        startEntry({ kind: "session", session, authValue: EMPTY })
      ),
    ];
  }

  /** How many entries the authorization area has. */
  get count(): number {
    return this.#entries.length;
  }

  /** The entry of the session that encrypts commands, or responses. */
  #encrypting(
    direction: "decrypt" | "encrypt",
  ): Extract<Entry, { readonly kind: "session" }> | undefined {
    for (const entry of this.#entries) {
      if (entry.kind === "session" && entry.session.attributes[direction]) {
        return entry;
      }
    }
    return undefined;
  }

  /** `parameters`, the first encrypted if a session is to and it can be. */
  encryptParameters(parameters: Bytes): Bytes {
    const entry = this.#encrypting("decrypt");
    if (entry === undefined || !this.#command.isFirstParameterSized) {
      return parameters;
    }
    return withFirst(parameters, (first) => entry.exchange.encrypt(first));
  }

  /** The authorization area for `parameters`, encrypted already. */
  authorize(entities: readonly Entity[], parameters: Bytes): AuthCommand[] {
    return this.#entries.map((entry, at) => {
      if (entry.kind === "password") {
        return {
          sessionHandle: TPM_RS_PW,
          nonce: EMPTY,
          sessionAttributes: { continueSession: true },
          hmac: entry.secret,
        };
      }
      const cpHash = digest(
        entry.session.hash,
        encode(u32, this.#command.code),
        ...entities.map(({ name }) => name),
        parameters,
      );
      const others = at === 0 ? this.#otherNonces(entry.session) : [];
      return entry.exchange.authorize(cpHash, others);
    });
  }

  /**
   * What binds the encrypting sessions to the first one's HMAC: nonceTPM of
   * the decrypt session, then of the encrypt session, each counted once.
   */
  #otherNonces(first: Session): Bytes[] {
    const sessions = new Set(
      [this.#encrypting("decrypt"), this.#encrypting("encrypt")]
        .flatMap((entry) => entry === undefined ? [] : [entry.session]),
    );
    sessions.delete(first);
    return [...sessions].map(({ nonceTpm }) => nonceTpm);
  }

  /** Checks every session's acknowledgment; throws SessionError. */
  verify(response: ResponseFrame): void {
    this.#entries.forEach((entry, at) => {
      const answer = response.authorizations[at];
      if (entry.kind === "password" || answer === undefined) return;
      const rpHash = digest(
        entry.session.hash,
        encode(u32, response.responseCode),
        encode(u32, this.#command.code),
        response.parameters,
      );
      entry.exchange.verify(rpHash, answer);
    });
  }

  /** `parameters` of a verified response, the first in plain. */
  decryptParameters(parameters: Bytes): Bytes {
    const entry = this.#encrypting("encrypt");
    if (entry === undefined || !this.#command.isFirstResponseSized) {
      return parameters;
    }
    return withFirst(parameters, (first) => entry.exchange.decrypt(first));
  }
}

/** `parameters` with the body of the TPM2B before them changed. */
function withFirst(parameters: Bytes, change: (first: Bytes) => Bytes): Bytes {
  const reader = new Reader(parameters);
  const first = reader.take(reader.u16());
  const out = parameters.slice();
  out.set(change(first), 2);
  return out;
}
