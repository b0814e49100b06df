/**
 * Objects: made, loaded, read and activated. TPM 2.0 Part 3, "Object
 * Commands" and "Hierarchy Commands".
 *
 * @module
 */

import {
  TPM2B_DATA,
  TPM2B_DIGEST,
  TPM2B_ENCRYPTED_SECRET,
  TPM2B_ID_OBJECT,
  TPM2B_NAME,
  TPM2B_PRIVATE,
} from "../spec/buffers.ts";
import { u32 } from "../codec/scalars.ts";
import { TPM2B_CREATION_DATA } from "../spec/attest.ts";
import { TPML_PCR_SELECTION } from "../spec/pcr.ts";
import {
  TPM2B_PUBLIC,
  TPM2B_PUBLIC_OR_EMPTY,
  TPM2B_SENSITIVE,
  TPM2B_SENSITIVE_CREATE,
  TPM2B_TEMPLATE,
} from "../spec/public.ts";
import { TPMT_TK_CREATION } from "../spec/ticket.ts";
import { command } from "./command.ts";

const CREATION_PARAMETERS = {
  inSensitive: TPM2B_SENSITIVE_CREATE,
  inPublic: TPM2B_PUBLIC,
  outsideInfo: TPM2B_DATA,
  creationPCR: TPML_PCR_SELECTION,
} as const;

/** TPM 2.0 Part 3, TPM2_CreatePrimary. */
export const CreatePrimary = command("TPM2_CreatePrimary", 0x131, {
  handles: { primaryHandle: "auth" },
  parameters: CREATION_PARAMETERS,
  responseHandle: "objectHandle",
  response: {
    outPublic: TPM2B_PUBLIC,
    creationData: TPM2B_CREATION_DATA,
    creationHash: TPM2B_DIGEST,
    creationTicket: TPMT_TK_CREATION,
    name: TPM2B_NAME,
  },
});

/** TPM 2.0 Part 3, TPM2_Create. */
export const Create = command("TPM2_Create", 0x153, {
  handles: { parentHandle: "auth" },
  parameters: CREATION_PARAMETERS,
  response: {
    outPrivate: TPM2B_PRIVATE,
    outPublic: TPM2B_PUBLIC,
    creationData: TPM2B_CREATION_DATA,
    creationHash: TPM2B_DIGEST,
    creationTicket: TPMT_TK_CREATION,
  },
});

/** TPM 2.0 Part 3, TPM2_CreateLoaded. */
export const CreateLoaded = command("TPM2_CreateLoaded", 0x191, {
  handles: { parentHandle: "auth" },
  parameters: { inSensitive: TPM2B_SENSITIVE_CREATE, inPublic: TPM2B_TEMPLATE },
  responseHandle: "objectHandle",
  response: {
    outPrivate: TPM2B_PRIVATE,
    outPublic: TPM2B_PUBLIC,
    name: TPM2B_NAME,
  },
});

/** TPM 2.0 Part 3, TPM2_Load. */
export const Load = command("TPM2_Load", 0x157, {
  handles: { parentHandle: "auth" },
  parameters: { inPrivate: TPM2B_PRIVATE, inPublic: TPM2B_PUBLIC },
  responseHandle: "objectHandle",
  response: { name: TPM2B_NAME },
});

/** TPM 2.0 Part 3, TPM2_LoadExternal. */
export const LoadExternal = command("TPM2_LoadExternal", 0x167, {
  parameters: {
    inPrivate: TPM2B_SENSITIVE,
    inPublic: TPM2B_PUBLIC_OR_EMPTY,
    hierarchy: u32,
  },
  responseHandle: "objectHandle",
  response: { name: TPM2B_NAME },
});

/** TPM 2.0 Part 3, TPM2_ReadPublic. */
export const ReadPublic = command("TPM2_ReadPublic", 0x173, {
  handles: { objectHandle: "plain" },
  parameters: {},
  response: {
    outPublic: TPM2B_PUBLIC,
    name: TPM2B_NAME,
    qualifiedName: TPM2B_NAME,
  },
});

/** TPM 2.0 Part 3, TPM2_ActivateCredential. */
export const ActivateCredential = command("TPM2_ActivateCredential", 0x147, {
  handles: { activateHandle: "auth", keyHandle: "auth" },
  parameters: {
    credentialBlob: TPM2B_ID_OBJECT,
    secret: TPM2B_ENCRYPTED_SECRET,
  },
  response: { certInfo: TPM2B_DIGEST },
});

/** TPM 2.0 Part 3, TPM2_MakeCredential. */
export const MakeCredential = command("TPM2_MakeCredential", 0x168, {
  handles: { handle: "plain" },
  parameters: { credential: TPM2B_DIGEST, objectName: TPM2B_NAME },
  response: { credentialBlob: TPM2B_ID_OBJECT, secret: TPM2B_ENCRYPTED_SECRET },
});
