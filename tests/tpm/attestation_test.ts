import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { decode, encode } from "../../tpm/codec/codec.ts";
import { digest, publicKeyOf } from "../../tpm/crypto.ts";
import { nameOf } from "../../tpm/object.ts";
import { TPMI_ALG_HASH } from "../../tpm/spec/algorithms.ts";
import {
  TPM2B_CREATION_DATA,
  TPMS_ATTEST,
  TPMS_CREATION_DATA,
  type TpmsAttest,
} from "../../tpm/spec/attest.ts";
import { selectedPcrs } from "../../tpm/spec/pcr.ts";
import { TPMT_PUBLIC } from "../../tpm/spec/public.ts";
import {
  TPMT_SIGNATURE,
  type TpmtSignature,
} from "../../tpm/spec/signature.ts";
import { isSigned } from "./signature.ts";

const DIRECTORY = new URL("../fixtures/tpm/quotes/", import.meta.url);

type PcrValues = { readonly [pcr: string]: string };

/** One attestation with what an independent program found in it. */
interface Sample {
  readonly name: string;
  readonly attest_hex: string;
  readonly attest: {
    readonly type: string;
    readonly qualified_signer_hex: string;
    readonly extra_data_hex: string;
    readonly clock_info: {
      readonly clock: number;
      readonly reset_count: number;
      readonly restart_count: number;
      readonly safe: number;
    };
    readonly firmware_version_hex: string;
    readonly pcr_select?: readonly {
      readonly hash: string;
      readonly pcrs: readonly number[];
    }[];
    readonly pcr_digest_hex?: string;
    readonly name_hex?: string;
    readonly qualified_name_hex?: string;
    readonly object_name_hex?: string;
    readonly creation_hash_hex?: string;
  };
  readonly signature_tpmt_hex?: string;
  readonly raw_signature_hex?: string;
  readonly scheme?: string;
  readonly hash?: string;
  readonly ak_public_tpmt_hex?: string;
  readonly ak_public_pem?: string;
  readonly nonce_hex?: string;
  readonly pcrs?: { readonly [bank: string]: PcrValues };
  readonly expected: { readonly [check: string]: boolean | string };
  readonly certified_public_tpmt_hex?: string;
  readonly pub_area_tpmt_hex?: string;
  readonly pub_area_name_hex?: string;
  readonly create_data_hex?: string;
  readonly creation_data_hex?: string;
}

function samples(): Sample[] {
  return [...Deno.readDirSync(DIRECTORY)].map(({ name }) => name)
    .filter((name) => name.endsWith(".json")).sort()
    .map((name) => JSON.parse(Deno.readTextFileSync(new URL(name, DIRECTORY))));
}

const SAMPLES = samples();

function bytes(hex = ""): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hex);
}

function attestOf(sample: Sample): TpmsAttest {
  return decode(TPMS_ATTEST, bytes(sample.attest_hex));
}

function eachSample(
  name: string,
  is: (sample: Sample) => boolean,
  check: (sample: Sample) => void,
): void {
  Deno.test(name, async (t) => {
    const chosen = SAMPLES.filter(is);
    assert.ok(chosen.length > 0);
    for (const sample of chosen) {
      await t.step(sample.name, () => check(sample));
    }
  });
}

Deno.test("the attestations are all here", () => {
  assert.equal(SAMPLES.length, 31);
});

eachSample(
  "attestations decode and encode to the same bytes",
  () => true,
  (sample) => {
    const again = encode(TPMS_ATTEST, attestOf(sample));
    assert.equal(again.toHex(), sample.attest_hex);
  },
);

/** `attest` in the notation of the samples. */
function viewOf(attest: TpmsAttest): object {
  const { clock, resetCount, restartCount, safe } = attest.clockInfo;
  const common = {
    type: attest.type.slice("attest".length).toUpperCase(),
    qualified_signer_hex: attest.qualifiedSigner.toHex(),
    extra_data_hex: attest.extraData.toHex(),
    clock_info: {
      clock: Number(clock),
      reset_count: resetCount,
      restart_count: restartCount,
      safe: Number(safe),
    },
    firmware_version_hex: attest.firmwareVersion.toString(16).padStart(16, "0"),
  };
  switch (attest.type) {
    case "attestQuote":
      return {
        ...common,
        pcr_select: attest.pcrSelect.map((bank) => ({
          hash: bank.hash,
          pcrs: selectedPcrs([bank], bank.hash),
        })),
        pcr_digest_hex: attest.pcrDigest.toHex(),
      };
    case "attestCertify":
      return {
        ...common,
        name_hex: attest.objectName.toHex(),
        qualified_name_hex: attest.qualifiedName.toHex(),
      };
    case "attestCreation":
      return {
        ...common,
        object_name_hex: attest.objectName.toHex(),
        creation_hash_hex: attest.creationHash.toHex(),
      };
    default:
      return common;
  }
}

eachSample(
  "every field that an independent program found is found here",
  () => true,
  (sample) => {
    const ours = new Map(Object.entries(viewOf(attestOf(sample))));
    for (const [field, value] of Object.entries(sample.attest)) {
      if (!ours.has(field)) continue;
      assert.deepEqual(ours.get(field), value, field);
      ours.delete(field);
    }
    assert.deepEqual([...ours.keys()], []);
  },
);

eachSample(
  "signatures decode and encode to the same bytes",
  (sample) => sample.signature_tpmt_hex !== undefined,
  ({ signature_tpmt_hex }) => {
    const signature = decode(TPMT_SIGNATURE, bytes(signature_tpmt_hex));
    assert.equal(encode(TPMT_SIGNATURE, signature).toHex(), signature_tpmt_hex);
  },
);

eachSample(
  "publicKeyOf() gives the key that an independent program found",
  (sample) =>
    sample.ak_public_tpmt_hex !== undefined &&
    sample.ak_public_pem !== undefined,
  (sample) => {
    const area = decode(TPMT_PUBLIC, bytes(sample.ak_public_tpmt_hex));
    const spki = publicKeyOf(area).export({ format: "pem", type: "spki" });
    assert.equal(String(spki).trim(), sample.ak_public_pem?.trim());
  },
);

function keyOf(sample: Sample): KeyObject {
  return sample.ak_public_tpmt_hex === undefined
    ? createPublicKey(sample.ak_public_pem ?? "")
    : publicKeyOf(decode(TPMT_PUBLIC, bytes(sample.ak_public_tpmt_hex)));
}

/** Some sources give the signature bare, without its TPMT_SIGNATURE. */
function signatureOf(sample: Sample): TpmtSignature {
  if (sample.signature_tpmt_hex !== undefined) {
    return decode(TPMT_SIGNATURE, bytes(sample.signature_tpmt_hex));
  }
  assert.equal(sample.scheme, "rsassa");
  assert.equal(sample.hash, "sha1");
  const sig = bytes(sample.raw_signature_hex);
  return { sigAlg: "rsassa", hash: "sha1", sig };
}

eachSample(
  "signatures verify, or do not, as they should",
  ({ expected }) => typeof expected["signature_valid"] === "boolean",
  (sample) => {
    const signature = signatureOf(sample);
    const isValid = isSigned(
      bytes(sample.attest_hex),
      keyOf(sample),
      signature,
    );
    assert.equal(isValid, sample.expected["signature_valid"]);
  },
);

eachSample(
  "a changed attestation does not verify",
  ({ expected }) => expected["signature_valid"] === true,
  (sample) => {
    const changed = bytes(sample.attest_hex);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    assert.equal(isSigned(changed, keyOf(sample), signatureOf(sample)), false);
  },
);

eachSample(
  "PCR values have the quoted digest, or not, as they should",
  ({ expected }) => "pcr_digest_matches" in expected,
  (sample) => {
    const attest = attestOf(sample);
    assert.equal(attest.type, "attestQuote");
    const values = attest.pcrSelect.flatMap((bank) =>
      selectedPcrs([bank], bank.hash).map((pcr) =>
        bytes(sample.pcrs?.[bank.hash]?.[String(pcr)])
      )
    );
    // The digest is by the hash of the signature, whatever the banks.
    const signature = signatureOf(sample);
    if (signature.sigAlg === "null") assert.fail("it is not signed");
    const isEqual = digest(signature.hash, ...values).toHex() ===
      attest.pcrDigest.toHex();
    assert.equal(isEqual, sample.expected["pcr_digest_matches"]);
  },
);

eachSample(
  "the nonce is the extra data, or not, as it should",
  ({ expected }) => "nonce_matches" in expected,
  (sample) => {
    const isEqual = attestOf(sample).extraData.toHex() === sample.nonce_hex;
    assert.equal(isEqual, sample.expected["nonce_matches"]);
  },
);

eachSample(
  "nameOf() is the Name that a TPM certified",
  (sample) =>
    (sample.certified_public_tpmt_hex ?? sample.pub_area_tpmt_hex) !==
      undefined,
  (sample) => {
    const attest = attestOf(sample);
    assert.equal(attest.type, "attestCertify");
    const area = decode(
      TPMT_PUBLIC,
      bytes(sample.certified_public_tpmt_hex ?? sample.pub_area_tpmt_hex),
    );
    assert.equal(nameOf(area).toHex(), attest.objectName.toHex());
  },
);

eachSample(
  "creation data has the attested hash",
  (sample) =>
    (sample.create_data_hex ?? sample.creation_data_hex) !== undefined,
  (sample) => {
    const attest = attestOf(sample);
    assert.equal(attest.type, "attestCreation");
    const data = sample.create_data_hex === undefined
      ? decode(TPM2B_CREATION_DATA, bytes(sample.creation_data_hex))
      : decode(TPMS_CREATION_DATA, bytes(sample.create_data_hex));
    const nameAlg = decode(TPMI_ALG_HASH, attest.objectName.slice(0, 2));
    assert.equal(
      digest(nameAlg, encode(TPMS_CREATION_DATA, data)).toHex(),
      attest.creationHash.toHex(),
    );
  },
);
