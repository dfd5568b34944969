// Package client calls the API of Tokendesk. Requests and types are generated from api/openapi.yaml; Read turns every answer
// into a value, or into the *Problem that the API answered with:
//
//	ada, err := client.Connect("http://127.0.0.1:8080", token)
//	order, err := client.Read[client.Order](ada.CreateOrder(ctx, nil, newOrder))
//	if errors.Is(err, models.DisclaimerMissing) { … }
package client

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config config.yaml -o client.gen.go ../openapi.yaml
