use base64::Engine;

use super::*;

#[tokio::test]
async fn openai_answers_from_the_passages_of_the_request() {
    let mock = mock(json!({})).await;
    let reply = mock.openai(&openai(PROMPT)).await;
    let body = reply.json();
    assert_eq!(reply.status, 200);
    assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!((body["object"].clone(), body["model"].clone()), ("chat.completion".into(), "gpt-4o".into()));
    assert_eq!(body["created"], 1_767_225_600);
    let choice = &body["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["finish_reason"], "stop");
    let said = choice["message"]["content"].as_str().unwrap();
    assert!(said.contains("The webhook receives the alert."), "{said}");
    let usage = &body["usage"];
    assert_eq!(usage["completion_tokens"], crate::text::word_count(said));
    assert_eq!(usage["prompt_tokens"], crate::text::word_count(PROMPT) + 2);
    assert_ne!(mock.openai(&openai(PROMPT)).await.json()["id"], body["id"]);
}

#[tokio::test]
async fn models_differ_as_their_names_say() {
    let mock = mock(json!({"models": {"gpt-4o": "small"}, "answers": {"extractive": {"max_sentences": 1}}})).await;
    let answer = async |model: &str| {
        let mut request = openai(PROMPT);
        request["model"] = model.into();
        mock.openai(&request).await.json()["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(answer("gpt-5").await, "The webhook receives the alert.");
    assert_ne!(answer("gpt-5-mini").await, answer("gpt-5").await);
    assert_eq!(answer("gpt-4o").await, answer("gpt-5-mini").await);
}

#[tokio::test]
async fn a_schema_that_is_asked_for_gets_the_answer_as_such_an_object_in_every_shape() {
    let mock = mock(json!({})).await;
    let schema = answer_schema();

    let mut request = openai(PROMPT);
    request["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    let reply = mock.openai(&request).await.json();
    let from_openai: Value = serde_json::from_str(reply["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();

    let mut request = anthropic(PROMPT);
    request["tools"] = json!([{"name": "answer", "input_schema": schema}]);
    request["tool_choice"] = json!({"type": "tool", "name": "answer"});
    let reply = mock.anthropic(&request).await.json();
    assert_eq!((&reply["content"][0]["name"], &reply["stop_reason"]), (&"answer".into(), &"tool_use".into()));
    let from_anthropic = reply["content"][0]["input"].clone();

    let mut request = gemini(PROMPT);
    request["generationConfig"] = json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
    let reply = mock.gemini("generateContent", &request).await.json();
    let said = reply["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap();
    let from_gemini: Value = serde_json::from_str(said).unwrap();

    assert_eq!(from_openai["citations"], json!(["docs/b.md#alerts"]));
    assert!(crate::providers::OutputSchema::new(schema).unwrap().check(&from_openai.to_string()).is_ok());
    assert_eq!(from_openai, from_anthropic);
    assert_eq!(from_openai, from_gemini);
}

#[tokio::test]
async fn tools_are_called_with_arguments_in_their_schemas_form() {
    let mock = mock(json!({})).await;
    let schema =
        json!({"type": "object", "required": ["order"], "properties": {"order": {"type": "integer", "minimum": 5}}});
    let mut request = openai("Please call the tool get_order now.");
    request["tools"] = json!([{"type": "function", "function": {"name": "get_order", "parameters": schema}}]);
    let choice = mock.openai(&request).await.json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&"function".into(), &"get_order".into()));
    assert_eq!(call["function"]["arguments"], "{\"order\":5}");

    request["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": null, "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": call["id"], "content": "{\"state\": \"sent\"}"}),
    ]);
    assert_eq!(mock.openai(&request).await.json()["choices"][0]["finish_reason"], "stop");

    let mut request = gemini("hello");
    request["tools"] = json!([{"functionDeclarations": [{"name": "get_order", "parameters": schema}]}]);
    request["toolConfig"] = json!({"functionCallingConfig": {"mode": "ANY"}});
    let reply = mock.gemini("generateContent", &request).await.json();
    let expected = json!({"name": "get_order", "args": {"order": 5}});
    assert_eq!(reply["candidates"][0]["content"]["parts"][0]["functionCall"], expected);
}

#[tokio::test]
async fn anthropic_and_gemini_have_their_own_shapes() {
    let mock = mock(json!({"answers": {"mode": "echo"}, "prompt_cache": true, "reasoning_tokens": 4})).await;
    let first = mock.anthropic(&anthropic("three small words")).await;
    let body = first.json();
    assert!(first.header("request-id").unwrap().starts_with("req_"));
    assert_eq!((&body["type"], &body["role"]), (&"message".into(), &"assistant".into()));
    assert_eq!(body["content"], json!([{"type": "text", "text": "three small words"}]));
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&"end_turn".into(), &Value::Null));
    let counts = |body: &Value| {
        ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"]
            .map(|name| body["usage"][name].as_u64().unwrap())
    };
    assert_eq!(counts(&body), [3, 2, 0, 7]);
    assert_eq!(counts(&mock.anthropic(&anthropic("four")).await.json()), [1, 0, 2, 5]);

    let body = mock.gemini("generateContent", &gemini("three small words")).await.json();
    assert_eq!(body["candidates"][0]["content"], json!({"parts": [{"text": "three small words"}], "role": "model"}));
    assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 12,
        "cachedContentTokenCount": 0, "thoughtsTokenCount": 4});
    assert_eq!(body["usageMetadata"], usage);
}

#[tokio::test]
async fn limits_and_stop_sequences_end_an_answer() {
    let mock = mock(json!({"answers": {"mode": "echo", "reply": "one two three"}})).await;
    let mut request = openai("x");
    request["max_completion_tokens"] = 2.into();
    let choice = mock.openai(&request).await.json()["choices"][0].clone();
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&"one two".into(), &"length".into()));
    let mut request = anthropic("x");
    request["stop_sequences"] = json!([" three"]);
    let body = mock.anthropic(&request).await.json();
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&"stop_sequence".into(), &" three".into()));
}

#[tokio::test]
async fn embeddings_keep_the_order_and_the_asked_length() {
    let mock = mock(json!({})).await;
    let embed = async |request: Value| mock.client.post("/v1/embeddings", &[], &request).await.json();
    let body = embed(json!({"model": "text-embedding-3-small", "input": ["a cap", "an alert"]})).await;
    assert_eq!((&body["object"], &body["data"][1]["index"]), (&"list".into(), &1.into()));
    assert_eq!(body["data"][0]["embedding"].as_array().unwrap().len(), 384);
    assert_eq!(body["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    let short = embed(json!({"model": "m", "input": "a cap", "dimensions": 8})).await;
    assert_eq!(short["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let base64 = embed(json!({"model": "m", "input": "a cap", "dimensions": 8, "encoding_format": "base64"})).await;
    let text = base64["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let values: Vec<f32> = bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(json!(values), short["data"][0]["embedding"]);
    for wrong in [json!({"model": "m", "input": []}), json!({"model": "m", "input": "x", "dimensions": 0})] {
        assert_eq!(mock.client.post("/v1/embeddings", &[], &wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn models_are_listed_in_the_shape_of_who_asks() {
    let mock = mock(json!({"models": {"gpt-4o": "large"}, "only_listed_models": true})).await;
    assert_eq!(mock.client.get("/v1/models").await.json()["data"][0]["object"], "model");
    let headers = [("anthropic-version", "2023-06-01")];
    let body = mock.client.request("GET", "/v1/models", &headers, "").await.json();
    assert_eq!((&body["data"][0]["type"], &body["has_more"]), (&"model".into(), &false.into()));
    assert_eq!(mock.client.get("/v1beta/models").await.json()["models"][0]["name"], "models/gpt-4o");
    let refused = mock.anthropic(&anthropic("x")).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (404, &"not_found_error".into()));
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
}

#[tokio::test]
async fn a_wrong_key_is_refused_as_each_vendor_refuses_it() {
    let mock = mock(json!({"api_key": "right"})).await;
    let refused = mock.openai(&openai("x")).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (401, &"invalid_api_key".into()));
    assert!(!refused.text().contains("sk-test"));
    let refused = mock.anthropic(&anthropic("x")).await;
    let body = refused.json();
    assert_eq!((refused.status, &body["type"]), (401, &"error".into()));
    assert_eq!(body["error"], json!({"type": "authentication_error", "message": "invalid x-api-key"}));
    let refused = mock.gemini("generateContent", &gemini("x")).await;
    assert_eq!((refused.status, &refused.json()["error"]["details"][0]["reason"]), (400, &"API_KEY_INVALID".into()));
    let missing = mock.client.post("/v1/chat/completions", &[], &openai("x")).await;
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (401, &Value::Null));
    let right = mock.client.post("/v1/chat/completions", &[("authorization", "Bearer right")], &openai("x")).await;
    assert_eq!(right.status, 200);
    assert_eq!(mock.client.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_each_vendor_refuses_it() {
    let mock = mock(json!({"max_body_bytes": 1_000})).await;
    let refused = mock.openai(&json!({"model": "m"})).await;
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["type"]), (400, &"invalid_request_error".into()));
    assert!(error["message"].as_str().unwrap().contains("messages"), "{error}");
    let mut request = anthropic("x");
    request.as_object_mut().unwrap().remove("max_tokens");
    let error = mock.anthropic(&request).await.json()["error"].clone();
    assert_eq!(error["message"], "max_tokens: Field required");
    let without_version = mock.client.post("/v1/messages", &[], &anthropic("x")).await;
    assert_eq!(without_version.status, 400);
    assert_eq!(mock.openai(&openai(&"x".repeat(1_000))).await.status, 413);
    let unknown = mock.client.get("/v1/nothing").await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["message"].clone()),
        (404, "Invalid URL (GET /v1/nothing)".into())
    );
}

#[tokio::test]
async fn a_file_of_answers_is_played() {
    let lines = json!([{"match": "cap", "reply": "Set it."}, {"reply": "one"}, {"reply": "{\"broken"}]);
    let mock = mock(json!({"answers": {"mode": "file", "lines": lines}})).await;
    let mut said = Vec::new();
    for asked in ["the cap", "x", "y", "z"] {
        said.push(mock.openai(&openai(asked)).await.json()["choices"][0]["message"]["content"].clone());
    }
    assert_eq!(said, ["Set it.", "one", "{\"broken", "one"]);
    let mut request = openai("y");
    request["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": answer_schema()}});
    let content = mock.openai(&request).await.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(content, "{\"broken", "what the file says is not mended");
}
