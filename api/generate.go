package api

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config gen/config.yaml -o gen/api.gen.go openapi.yaml
