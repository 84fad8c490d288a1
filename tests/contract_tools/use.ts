// What a client's author gets of the contract: the compiler is the test.
import type { components, operations, paths } from "./contract";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Json<T extends { content: { "application/json": unknown } }> = T["content"]["application/json"];
type Login = paths["/api:main/auth/login"]["post"];
type Me = operations["getAuthMe"]["responses"];

export const token: Same<Json<Login["responses"][200]>["authToken"], string> = true;
export const role: Same<Json<Me[200]>["role"], "member" | "admin"> = true;
export const created: Same<components["schemas"]["User"]["created_at"], number> = true;
export const known: Same<keyof components["schemas"]["User"], "id" | "created_at" | "name" | "email" | "role"> = true;

// An error is told apart by its code.
export function params(error: Json<Login["responses"][400]>): string[] {
  return error.code === "ERROR_CODE_INPUT_ERROR" ? error.payload.errors.map((each) => each.param) : [];
}

export const input: NonNullable<Login["requestBody"]>["content"]["application/json"] = { email: "ada@example.com", password: "correct horse" };
// @ts-expect-error a login without a password
export const lacking: NonNullable<Login["requestBody"]>["content"]["application/json"] = { email: "ada@example.com" };
