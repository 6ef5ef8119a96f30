# A static busybox: shell and wget, as the images based on Alpine or BusyBox have them.
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /root && mkdir -m 1777 /tmp \
 && echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd && echo 'nobody:x:65534:65534:nobody:/:/bin/false' >> /etc/passwd \
 && echo 'root:x:0:' > /etc/group && echo 'nobody:x:65534:' >> /etc/group
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/bin
CMD ["sh"]
