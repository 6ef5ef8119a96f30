FROM tracemesh-offline/busybox:static
COPY jaeger /cmd/jaeger/jaeger-linux
EXPOSE 4317 4318 13133 16685 16686
VOLUME ["/tmp"]
USER 10001
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
