import assert from "node:assert/strict";
import { formatHandle, handleType } from "../../../tpm/spec/handles.ts";

Deno.test("handleType() reads the first byte of a handle", () => {
  assert.equal(handleType(0x0000_0010), "pcr");
  assert.equal(handleType(0x01c0_0002), "nvIndex");
  assert.equal(handleType(0x0200_0000), "hmacSession");
  assert.equal(handleType(0x0300_0001), "policySession");
  assert.equal(handleType(0x4000_000b), "permanent");
  assert.equal(handleType(0x80ff_ffff), "transient");
  assert.equal(handleType(0x8101_0001), "persistent");
  assert.equal(handleType(0xff00_0000), "unknown");
});

Deno.test("formatHandle() has eight digits", () => {
  assert.equal(formatHandle(0x10), "0x00000010");
  assert.equal(formatHandle(0x8101_0001), "0x81010001");
});
