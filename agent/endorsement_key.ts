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
  ENDORSEMENT,
  type Executor,
  formatHandle,
  type KeyType,
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

/** Where the endorsement key comes from and how to get the right to use it. */
export interface EndorsementOptions {
  /** What template a created key has. */
  readonly keyType: KeyType;
  /** A persistent key's handle, or undefined to create the key. */
  readonly persistentHandle: number | undefined;
  /** The endorsement hierarchy's authorization value; empty for none. */
  readonly hierarchyAuth: Bytes;
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
  /** SubjectPublicKeyInfo in PEM, as OpenSSL prints it. */
  readonly publicKeyPem: string;

  private constructor(object: PublicObject, hierarchyAuth: Bytes) {
    this.#object = object;
    this.#hierarchyAuth = hierarchyAuth;
    this.publicKeyPem = spkiPem(publicKeyOf(object.publicArea));
  }

  /**
   * Creates the key from its template, which always gives the same key on the
   * same TPM, or attaches to the persistent one.
   */
  static async open(
    tpm: Executor,
    options: EndorsementOptions,
  ): Promise<EndorsementKey> {
    const { keyType, persistentHandle, hierarchyAuth } = options;
    if (persistentHandle !== undefined) {
      const object = await persistentKey(tpm, persistentHandle);
      return new EndorsementKey(object, hierarchyAuth);
    }
    const object = await withHierarchy(
      tpm,
      { hierarchyAuth },
      (hierarchy) => createPrimary(tpm, hierarchy, ekTemplate(keyType)),
    );
    return new EndorsementKey(object, hierarchyAuth);
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
    const hides = options.encryptResponse === true;
    await using session = await startSession(tpm, {
      type: "policy",
      hash: POLICY_HASH,
      ...(hides
        ? { saltKey: this.#object, attributes: { encrypt: true } }
        : {}),
    });
    await withHierarchy(
      tpm,
      { hierarchyAuth: this.#hierarchyAuth, saltKey: this.#object },
      (hierarchy) => policySecret(tpm, session, hierarchy),
    );
    return await work(withSession(this.#object, session));
  }

  /** Flushes the key unless it is persistent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#object instanceof TransientObject) {
      await this.#object[Symbol.asyncDispose]();
    }
  }
}

/** How the right to use the endorsement hierarchy is shown. */
interface HierarchyOptions {
  readonly hierarchyAuth: Bytes;
  readonly saltKey?: PublicObject;
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

/**
 * Runs `work` with the right to use the endorsement hierarchy. A password that
 * is set never crosses the bus: an HMAC session proves that we know it, salted
 * as soon as there is a key to salt it to.
 *
 * @throws UnfitOptionError if the password is not the hierarchy's
 */
async function withHierarchy<T>(
  tpm: Executor,
  options: HierarchyOptions,
  work: (hierarchy: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  try {
    return await authorized(tpm, options, work);
  } catch (error) {
    const isRefused = error instanceof TpmError &&
      (error.is("TPM_RC_BAD_AUTH") || error.is("TPM_RC_AUTH_FAIL"));
    if (!isRefused) throw error;
    throw new UnfitOptionError(
      'Option "tpm_ownerpassword" is not the password of the TPM\'s ' +
        "endorsement hierarchy",
      { cause: error },
    );
  }
}

async function authorized<T>(
  tpm: Executor,
  { hierarchyAuth, saltKey }: HierarchyOptions,
  work: (hierarchy: AuthorizedEntity) => Promise<T>,
): Promise<T> {
  if (hierarchyAuth.length === 0) return await work(withPassword(ENDORSEMENT));
  await using session = await startSession(tpm, {
    type: "hmac",
    hash: POLICY_HASH,
    ...(saltKey === undefined ? {} : { saltKey }),
  });
  return await work(withSession(ENDORSEMENT, session, hierarchyAuth));
}
