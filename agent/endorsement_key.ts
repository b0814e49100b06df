/**
 * The endorsement key and the right to use it (contract section 3.2).
 *
 * @module
 */

import { UnfitOptionError } from "../config/error.ts";
import { ekHash, spkiPem } from "../crypto/spki.ts";
import {
  type AuthorizedEntity,
  type Bytes,
  createPrimary,
  ekTemplate,
  type Executor,
  formatHandle,
  type KeyType,
  type OpenSession,
  policySecret,
  publicKeyOf,
  type PublicObject,
  readPublic,
  startSession,
  TpmError,
  type TpmtPublic,
  TransientObject,
  withPassword,
  withSession,
} from "../tpm/mod.ts";
import { withHierarchy } from "./hierarchy.ts";

/** Where the endorsement key comes from and how to get the right to use it. */
export interface EndorsementOptions {
  /** What template a created key has. */
  readonly keyType: KeyType;
  /** A persistent key's handle, or undefined to create the key. */
  readonly persistentHandle: number | undefined;
  /** The endorsement hierarchy's authorization value; empty for none. */
  readonly hierarchyAuth: Bytes;
  /**
   * Whether {@linkcode EndorsementKey.use} follows at once. The right to use a
   * created key is then got before the key: behind a resource manager a loaded
   * key makes every command dearer, and a session less so.
   */
  readonly isUsedNext?: boolean;
}

/** The hash and cipher of the policies of the default EK templates. */
const POLICY_HASH = "sha256";

/**
 * The endorsement key, loaded. Disposing of it flushes a created one and
 * leaves a persistent one alone.
 */
export class EndorsementKey implements AsyncDisposable {
  readonly #object: PublicObject;
  readonly #hierarchyAuth: Bytes;
  /** The right to the first use, if it was got in advance. */
  #right: OpenSession | undefined;
  /** SubjectPublicKeyInfo in PEM, as OpenSSL prints it. */
  readonly publicKeyPem: string;

  private constructor(
    object: PublicObject,
    hierarchyAuth: Bytes,
    right?: OpenSession,
  ) {
    this.#object = object;
    this.#hierarchyAuth = hierarchyAuth;
    this.#right = right;
    this.publicKeyPem = spkiPem(publicKeyOf(object.publicArea));
  }

  /**
   * Creates the key from its template, which always gives the same key on the
   * same TPM, or attaches to the persistent one.
   */
  static async open(
    tpm: Executor,
    { keyType, persistentHandle, hierarchyAuth, isUsedNext }:
      EndorsementOptions,
  ): Promise<EndorsementKey> {
    if (persistentHandle !== undefined) {
      const object = await persistentKey(tpm, persistentHandle);
      return new EndorsementKey(object, hierarchyAuth);
    }
    await using opened = new AsyncDisposableStack();
    const right = isUsedNext
      ? opened.use(await openRight(tpm, { hierarchyAuth }))
      : undefined;
    const object = await withHierarchy(
      tpm,
      { hierarchy: "endorsement", auth: hierarchyAuth },
      (hierarchy) => createPrimary(tpm, hierarchy, ekTemplate(keyType)),
    );
    opened.move();
    return new EndorsementKey(object, hierarchyAuth, right);
  }

  /** The loaded key, for what is encrypted to it. */
  get saltKey(): PublicObject {
    return this.#object;
  }

  /** The key's public area. */
  get publicArea(): TpmtPublic {
    return this.#object.publicArea;
  }

  /** SHA-256 of {@linkcode publicKeyPem} in hexadecimal. */
  get hash(): string {
    return ekHash(this.publicKeyPem);
  }

  /**
   * Runs `work` with the right to use the key.
   *
   * @param options `encryptResponse` hides the first parameter of the response
   * from whoever listens between here and the TPM: the session is salted to
   * this very key
   */
  async use<T>(
    tpm: Executor,
    work: (key: AuthorizedEntity) => Promise<T>,
    options: { readonly encryptResponse?: boolean } = {},
  ): Promise<T> {
    // Keys from the high-range templates take an empty password instead.
    if (this.publicArea.objectAttributes.userWithAuth) {
      return await work(withPassword(this.#object));
    }
    await using right = await this.#takeRight(tpm, options);
    return await work(withSession(this.#object, right));
  }

  async #takeRight(
    tpm: Executor,
    { encryptResponse = false }: { readonly encryptResponse?: boolean },
  ): Promise<OpenSession> {
    const right = this.#right;
    if (right !== undefined && !encryptResponse) {
      this.#right = undefined;
      return right;
    }
    return await openRight(tpm, {
      hierarchyAuth: this.#hierarchyAuth,
      saltKey: this.#object,
      encryptResponse,
    });
  }

  /** Flushes the key unless it is persistent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#right?.[Symbol.asyncDispose]();
    if (this.#object instanceof TransientObject) {
      await this.#object[Symbol.asyncDispose]();
    }
  }
}

/** A policy session that may use the endorsement key, once. */
async function openRight(
  tpm: Executor,
  { hierarchyAuth, saltKey, encryptResponse = false }: {
    readonly hierarchyAuth: Bytes;
    readonly saltKey?: PublicObject;
    readonly encryptResponse?: boolean;
  },
): Promise<OpenSession> {
  const salt = saltKey === undefined ? {} : { saltKey };
  await using opened = new AsyncDisposableStack();
  const session = opened.use(
    await startSession(tpm, {
      type: "policy",
      hash: POLICY_HASH,
      ...(encryptResponse ? { ...salt, attributes: { encrypt: true } } : {}),
    }),
  );
  await withHierarchy(
    tpm,
    { hierarchy: "endorsement", auth: hierarchyAuth, ...salt },
    (hierarchy) => policySecret(tpm, session, hierarchy),
  );
  opened.move();
  return session;
}

async function persistentKey(
  tpm: Executor,
  handle: number,
): Promise<PublicObject> {
  try {
    return await readPublic(tpm, handle);
  } catch (error) {
    if (!(error instanceof TpmError)) throw error;
    const where = formatHandle(handle);
    throw new UnfitOptionError(
      `Option "ek_handle" names ${where}, where the TPM has no key to use; ` +
        'put the endorsement key there, or set the option to "generate"',
      { cause: error },
    );
  }
}
