import assert from "node:assert/strict";
import { encode } from "../../tpm/codec/codec.ts";
import { CodecError } from "../../tpm/codec/error.ts";
import { u32 } from "../../tpm/codec/scalars.ts";
import { TPMS_AUTH_RESPONSE } from "../../tpm/spec/session.ts";
import { parseResponseCode } from "../../tpm/spec/response_codes.ts";
import { commandOf, COMMANDS } from "./all_commands.ts";
import { outputView } from "./independent_view.ts";
import {
  EXCHANGES,
  type Fields,
  giveCommand,
  giveResponse,
  type RecordedExchange,
  type Sent,
  takeCommand,
  takeResponse,
} from "./transcript.ts";

/** Commands that were sent to be refused, and what is wrong with them. */
const REFUSED_BY_US: { readonly [name: string]: RegExp } = {
  "029-Quote-ecc-nonce-too-long": /qualifyingData: 70 bytes exceed/,
  "072-Quote-rsa-nonce-too-long": /qualifyingData: 70 bytes exceed/,
  "000-bad-tag-8003": /0x8003 is not a command's tag/,
  "001-tpm12-tag": /0xc1 is not a command's tag/,
  "002-trailing-bytes": /2 bytes are left over/,
  "003-missing-parameter": /bytesRequested: 2 bytes are needed, 0 are left/,
  "004-short-parameter": /bytesRequested: 2 bytes are needed, 1 are left/,
  "005-unknown-command-code": /no command has the code 0x1ff/,
  "006-vendor-command-code": /no command has the code 0x20000100/,
  "019-authsize-wrong": /nonce: 2 bytes are needed, 0 are left/,
  "020-authsize-over-end": /500 bytes are needed, 2 are left/,
  "021-getcap-bad-capability": /0x77 is not a known TPM_CAP/,
  "024-pcrextend-bad-alg": /digests.0.hashAlg: 0x99 is not a known TPM_ALG_ID/,
  "026-pcrextend-short-digest": /digests.0.digest: 32 bytes are needed/,
  "030-startauthsession-bad-type": /sessionType: 0x9 is not a known TPM_SE/,
  "031-startauthsession-bad-hash": /authHash: 0x99 is not a known TPM_ALG_ID/,
  "035-createprimary-bad-curve": /curveID: 0x99 is not a known TPM_ECC_CURVE/,
  "036-createprimary-bad-type": /inPublic.type: 0x77 is not a known TPM_ALG_ID/,
  "054-quote-17-selections": /17 entries exceed the maximum of 16/,
};

function isRefusedByUs({ name }: RecordedExchange): boolean {
  return Object.hasOwn(REFUSED_BY_US, name);
}

const WELL_FORMED = EXCHANGES.filter((exchange) => !isRefusedByUs(exchange));

function sentBy({ command }: RecordedExchange): Sent {
  const { frame } = takeCommand(command);
  return { code: frame.code, sessions: frame.authorizations.length };
}

Deno.test("the recordings are all here", () => {
  assert.equal(EXCHANGES.length, 874);
  assert.equal(WELL_FORMED.length, 874 - Object.keys(REFUSED_BY_US).length);
});

Deno.test("every recorded command decodes and encodes to the same bytes", () => {
  for (const { place, command } of WELL_FORMED) {
    assert.equal(
      giveCommand(takeCommand(command)).toHex(),
      command.toHex(),
      place,
    );
  }
});

Deno.test("every recorded response decodes and encodes to the same bytes", () => {
  for (const exchange of WELL_FORMED) {
    const { place, response } = exchange;
    const sent = sentBy(exchange);
    const again = giveResponse(takeResponse(response, sent), sent);
    assert.equal(again.toHex(), response.toHex(), place);
  }
});

Deno.test("commands that were sent to be refused are refused here too", () => {
  const malformed = EXCHANGES.filter(isRefusedByUs);
  for (const { name, command } of malformed) {
    assert.throws(() => takeCommand(command), (error) => {
      assert.ok(error instanceof CodecError, name);
      assert.match(error.message, REFUSED_BY_US[name] ?? /^$/, name);
      return true;
    });
  }
});

Deno.test("the TPM refused every command that is refused here", () => {
  for (const { place, response } of EXCHANGES.filter(isRefusedByUs)) {
    const sent = { code: 0x144, sessions: 0 };
    const taken = takeResponse(response, sent);
    assert.notEqual(taken.frame.responseCode, 0, place);
    assert.equal(giveResponse(taken, sent).toHex(), response.toHex(), place);
  }
});

/** `TPM_RC_VALUE (parameter 2)`, as the independent program writes codes. */
function codeText(responseCode: number): string {
  const { name, isWarning, subject } = parseResponseCode(responseCode);
  const suffix = subject !== undefined
    ? ` (${subject.kind} ${subject.number})`
    : isWarning
    ? " (warning)"
    : "";
  return `${name}${suffix}`;
}

/** Our reading of an exchange, in the notation of its `decoded`. */
function viewOf(exchange: RecordedExchange): Fields {
  const { frame: { code, handles } } = takeCommand(exchange.command);
  const sent = sentBy(exchange);
  const { frame, output } = takeResponse(exchange.response, sent);
  const { responseCode } = frame;
  const common = {
    command: commandOf(code).name.slice("TPM2_".length),
    rc: `0x${responseCode.toString(16).padStart(3, "0")}`,
    rc_name: codeText(responseCode),
    response_tag: exchange.response.toHex().slice(0, 4),
    response_size: exchange.response.length,
    handles_in: handles.map((handle) => encode(u32, handle).toHex()),
  };
  if (responseCode !== 0) return common;
  return {
    ...common,
    auth_area_hex: frame.authorizations.map((entry) =>
      encode(TPMS_AUTH_RESPONSE, entry).toHex()
    ).join(""),
    ...(frame.handle === undefined
      ? {}
      : { handle_out: encode(u32, frame.handle).toHex() }),
    ...outputView(code, output),
  };
}

Deno.test("every field that an independent program found is found here", () => {
  for (const exchange of WELL_FORMED) {
    const ours = viewOf(exchange);
    const { remark: _, ...theirs } = exchange.decoded;
    for (const [field, value] of Object.entries(theirs)) {
      assert.deepEqual(ours[field], value, `${exchange.place}: ${field}`);
    }
  }
});

Deno.test("every declared command occurs in a recording", () => {
  const recorded = new Set(WELL_FORMED.map((x) => sentBy(x).code));
  const missing = COMMANDS.filter(({ code }) => !recorded.has(code));
  assert.deepEqual(missing.map(({ name }) => name), []);
});

Deno.test("no two commands share a name or a code", () => {
  assert.equal(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length);
  assert.equal(new Set(COMMANDS.map(({ code }) => code)).size, COMMANDS.length);
});
